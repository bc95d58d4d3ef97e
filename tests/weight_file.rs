//! Weights from files: the kinds that are read, and bad ones.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::report::{Comparison, refused};
use common::{difference, fill};
use d2l::prelude::*;

fn net(classes: i64) -> Classifier {
    let mut net = resnet18(Weights::Random).unwrap();
    net.fc = linear(512, classes).unwrap();
    net
}

#[test]
fn a_state_dict_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let saved = net(3);
    fill(&saved);
    Tensor::write_safetensors(&saved.state_dict(), &path).unwrap();
    let loaded = net(3);
    load_weights(&loaded, &path).unwrap();
    for ((name, a), (_, b)) in saved.state_dict().iter().zip(loaded.state_dict()) {
        assert_eq!(difference(a, &b), 0., "{name}");
    }
    assert!(loaded.parameters().iter().all(Tensor::requires_grad));
}

/// tch-rs#280: torchvision's files, half precision, prefixes, checkpoints, tch's own.
#[test]
fn files_of_all_kinds_are_read() {
    let what = "weights from files: .pth (also half, bfloat16, double, views, parameters, with a \
                prefix, in a checkpoint), TorchScript, .ot, .safetensors";
    let mut off = Comparison::new(what, "", 0.002);
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("net.ot");
    let expected = small();
    fill_small(&expected);
    let named = expected.state_dict();
    Tensor::save_multi(&named, &ours).unwrap();
    // As a net of tch's with dots in its names
    let nested: Vec<_> = named.iter().map(|(name, t)| (format!("net.fc.{name}"), t)).collect();
    Tensor::save_multi(&nested, folder.path().join("nested.ot")).unwrap();
    let mut files: Vec<PathBuf> = [
        "plain.pth",
        "protocol_4.pth",
        "half.pth",
        "bfloat16.pth",
        "double.pth",
        "module.pth",
        "views.pth",
        "parameters.pth",
        "checkpoint.pth",
        "script.pt",
        "plain.safetensors",
        "half.safetensors",
    ]
    .map(|name| common::reference_folder().join("weights").join(name))
    .to_vec();
    files.extend([ours, folder.path().join("nested.ot")]);
    for path in files {
        let net = small();
        load_weights(&net, &path).unwrap();
        for ((name, a), (_, b)) in net.state_dict().iter().zip(&named) {
            off.add(&format!("{}: {name}", path.display()), difference(a, b));
            assert_eq!(a.kind(), Kind::Float);
        }
    }
}

/// The layer of the reference's files.
fn small() -> Linear {
    linear(3, 2).unwrap()
}

fn fill_small(net: &Linear) {
    let _guard = d2l::tch::no_grad_guard();
    for (key, tensor) in net.parameters().iter_mut().enumerate() {
        let values = Tensor::from_slice(&common::noise(tensor.numel(), key as u64));
        tensor.copy_(&values.view(&tensor.size()[..]));
    }
}

#[test]
fn no_code_in_a_file_is_run() {
    let path = common::reference_folder().join("weights/harmful.pth");
    let text = refused("a pickle that runs a command", "harmful.pth", &error_of(&small(), &path));
    assert!(text.contains("posix.system") && text.contains("not run"), "{text}");
    assert!(!Path::new("d2l-was-here").exists());
    let path = common::reference_folder().join("weights/whole_net.pth");
    let text = refused("a whole net, not its weights", "whole_net.pth", &error_of(&small(), &path));
    assert!(text.contains("torch.nn.modules.linear.Linear"), "{text}");
}

/// The error, after which the net is as it was.
fn error_of(net: &dyn Module, path: &Path) -> Error {
    let before: Vec<Tensor> = net.parameters().iter().map(Tensor::copy).collect();
    let error = load_weights(net, path).unwrap_err();
    assert!(net.parameters() == before, "{error}");
    error
}

/// tch-rs#838: all keys that do not fit are named at once.
#[test]
fn a_file_that_does_not_fit_names_all_keys_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let mut state = net(3).state_dict();
    state.retain(|(name, _)| name != "bn1.bias");
    state.push(("extra.weight".into(), Tensor::zeros([2], (Kind::Float, Device::Cpu))));
    Tensor::write_safetensors(&state, &path).unwrap();
    let net = net(2);
    let text = refused("weights of another net", "other.safetensors", &error_of(&net, &path));
    for part in ["bn1.bias is missing", "extra.weight is not in the net"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("fc.weight has shape [3, 512], the net's is [2, 512]"), "{text}");
    let path = common::reference_folder().join("weights/other_net.pth");
    let text = refused("weights of another net, .pth", "other_net.pth", &error_of(&small(), &path));
    for part in ["bias is missing", "other.bias is not", "scale is not", "weight has shape [2, 4]"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn bad_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let reference =
        |name: &str| fs::read(common::reference_folder().join("weights").join(name)).unwrap();
    let (pth, safe) = (reference("plain.pth"), reference("plain.safetensors"));
    let mut wrong_bit = pth.clone();
    let first = common::noise(1, 0)[0].to_le_bytes();
    let place = wrong_bit.windows(4).position(|bytes| bytes == first).unwrap();
    wrong_bit[place] ^= 1;
    let mut huge = safe.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    huge[8] = b'{';
    let empty_zip = b"PK\x05\x06".iter().copied().chain([0; 18]).collect();
    let cases: [(&str, &str, Vec<u8>, &str); 11] = [
        ("a page named .pth", "page.pth", b"<html>404</html>".to_vec(), "<html>"),
        ("an empty .pth", "empty.pth", vec![], "no weights"),
        (
            "a pickle of torch before 1.6",
            "legacy.pth",
            reference("legacy.pth"),
            "before version 1.6",
        ),
        ("a .pth that is cut off", "cut.pth", pth[..pth.len() / 2].to_vec(), "cut off"),
        ("a .pth with its head alone", "head.pth", b"PK\x03\x04nothing more".to_vec(), "cut off"),
        ("a zip of something else", "other.pth", empty_zip, "without weights"),
        ("a .pth with a wrong bit", "bit.pth", wrong_bit, "hecksum"),
        (
            "a .safetensors that is cut off",
            "cut.safetensors",
            safe[..safe.len() - 3].to_vec(),
            "cut off",
        ),
        ("a .safetensors with its head alone", "head.safetensors", safe[..30].to_vec(), "cut off"),
        ("a .safetensors that says it is endless", "huge.safetensors", huge, "cut off"),
        ("a file that is not what its name promises", "net-0a1b2c3d.pth", pth.clone(), "0a1b2c3d"),
    ];
    for (what, name, content, reason) in cases {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let text = refused(what, name, &error_of(&small(), &path));
        assert!(text.contains(reason), "{what}: {text}");
    }
    let missing = folder.path().join("missing.pth");
    refused("weights that are not there", "missing.pth", &error_of(&small(), &missing));
    // A name with a promise that holds
    let hash: String = {
        use sha2::Digest;
        sha2::Sha256::digest(&pth).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    };
    let path = folder.path().join(format!("net-{hash}.pth"));
    fs::write(&path, pth).unwrap();
    load_weights(&small(), path).unwrap();
}

/// A file that says that its numbers lie elsewhere than in it.
#[test]
fn tensors_outside_of_their_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    // storage, offset, size, stride: `weight` of the pickle below
    let bad = [(0, 2, 3, 5), (3, 2, 3, 3), (200, 2, 3, 3), (0, 100, 100, 1), (0, 2, 3, 255)];
    for (offset, rows, columns, stride) in bad {
        let path = folder.path().join("outside.pth");
        fs::write(&path, pth_of(offset, rows, columns, stride)).unwrap();
        let what = "a tensor that is not within its numbers";
        let text = refused(what, "outside.pth", &error_of(&small(), &path));
        assert!(text.contains("not within its storage"), "{text}");
    }
    let path = folder.path().join("inside.pth");
    fs::write(&path, pth_of(0, 2, 3, 3)).unwrap();
    let text = error_of(&small(), &path).to_string();
    assert!(text.contains("bias is missing") && !text.contains("storage"), "{text}");
}

/// A zip with one tensor, `weight`, of six numbers.
fn pth_of(offset: u8, rows: u8, columns: u8, stride: u8) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(X\x06\0\0\0weightctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    pickle.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQ");
    pickle.extend([b'K', offset, b'K', rows, b'K', columns, 0x86, b'K', stride, b'K', 1, 0x86]);
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtRu.");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, content) in [("net/data.pkl", &pickle[..]), ("net/data/0", &[0; 24])] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn saved_weights_come_back_and_an_older_file_is_whole_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let (net, loaded) = (small(), small());
    for _ in 0..2 {
        fill_small(&net);
        save_weights(&net, &path).unwrap();
        assert_eq!(common::names(folder.path()), ["net.safetensors"]);
    }
    load_weights(&loaded, &path).unwrap();
    assert_eq!(difference(&net.weight, &loaded.weight), 0.);
    let error = save_weights(&net, folder.path().join("no/such/net.safetensors")).unwrap_err();
    refused("a folder to save in that is not there", "no/such", &error);
    // Others may read it, as any file that this user makes.
    use std::os::unix::fs::PermissionsExt;
    fs::write(folder.path().join("any"), "").unwrap();
    let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("net.safetensors"), mode("any"));
}

#[test]
fn a_damaged_pretrained_file_is_named() {
    const NAME: &str = "a_damaged_pretrained_file_is_named";
    if !common::in_child(NAME) {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("resnet18-f37072fd.pth"), "half a file").unwrap();
        common::run_in_child(NAME, &[("D2L_DATA_DIR", data.path())]);
        return;
    }
    let error = resnet18(Weights::ImageNet).unwrap_err();
    let text = refused("a damaged file of ImageNet weights", "resnet18-f37072fd.pth", &error);
    assert!(text.contains("remove the file"), "{text}");
}
