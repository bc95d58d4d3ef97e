//! Weights from files: the supported kinds, and bad ones.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::{difference, fill};
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
    // As a tch network with dots in its names
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
        "script_nested.pt",
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
    let text =
        refused("a whole network, not its weights", "whole_net.pth", &error_of(&small(), &path));
    assert!(text.contains("torch.nn.modules.linear.Linear"), "{text}");
}

/// The error, after which the network is unchanged.
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
    let text = refused("weights of another network", "other.safetensors", &error_of(&net, &path));
    for part in ["bn1.bias is missing", "extra.weight is not in the network"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("fc.weight has shape [3, 512], the network's is [2, 512]"), "{text}");
    let path = common::reference_folder().join("weights/other_net.pth");
    let text =
        refused("weights of another network, .pth", "other_net.pth", &error_of(&small(), &path));
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
    let cases: [(&str, &str, Vec<u8>, &str); 10] = [
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
        ("a .pth with a flipped bit", "bit.pth", wrong_bit, "hecksum"),
        (
            "a .safetensors that is cut off",
            "cut.safetensors",
            safe[..safe.len() - 3].to_vec(),
            "cut off",
        ),
        ("a .safetensors with its head alone", "head.safetensors", safe[..30].to_vec(), "cut off"),
        ("a .safetensors that says it is endless", "huge.safetensors", huge, "cut off"),
    ];
    for (what, name, content, reason) in cases {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let text = refused(what, name, &error_of(&small(), &path));
        assert!(text.contains(reason), "{what}: {text}");
    }
    let missing = folder.path().join("missing.pth");
    refused("missing weights", "missing.pth", &error_of(&small(), &missing));
}

/// A file whose tensor claims values beyond its storage.
#[test]
fn tensors_beyond_their_storage_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    // storage, offset, size, stride: `weight` of the pickle below
    let bad = [(0, 2, 3, 5), (3, 2, 3, 3), (200, 2, 3, 3), (0, 100, 100, 1), (0, 2, 3, 255)];
    for (offset, rows, columns, stride) in bad {
        let path = folder.path().join("outside.pth");
        fs::write(&path, pth_of(offset, rows, columns, stride)).unwrap();
        let what = "a tensor beyond its storage";
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
    refused("a missing folder to save in", "no/such", &error);
    // Others may read it, like any file of this user.
    use std::os::unix::fs::PermissionsExt;
    fs::write(folder.path().join("any"), "").unwrap();
    let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("net.safetensors"), mode("any"));
}

/// C15: torchvision's three files are checked against their full SHA-256.
#[test]
fn a_damaged_pretrained_file_is_named() {
    const NAME: &str = "weight_file::a_damaged_pretrained_file_is_named";
    if !common::in_child(NAME) {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("resnet18-f37072fd.pth"), "half a file").unwrap();
        common::run_in_child(NAME, &[("D2L_DATA_DIR", data.path())]);
        return;
    }
    let error = resnet18(Weights::ImageNet).unwrap_err();
    let text = refused("a damaged file of ImageNet weights", "resnet18-f37072fd.pth", &error);
    assert!(text.contains("remove the file"), "{text}");
    // All digits are checked, not only those in the name.
    assert!(
        text.contains("f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"),
        "{text}"
    );
}

fn weights(name: &str) -> PathBuf {
    common::reference_folder().join("weights").join(name)
}

/// How far the small layer is from the reference's after a file has been loaded.
fn is_read(off: &mut Comparison, path: &Path) {
    let (net, expected) = (small(), small());
    fill_small(&expected);
    load_weights(&net, path).unwrap_or_else(|error| panic!("{error}"));
    compare(off, &path.display().to_string(), &net, &expected);
}

fn compare(off: &mut Comparison, file: &str, net: &dyn Module, expected: &dyn Module) {
    for ((name, a), (_, b)) in net.state_dict().iter().zip(expected.state_dict()) {
        off.add(&format!("{file}: {name}"), difference(a, &b));
    }
}

/// F1: a zip starts where the file does, however long its names are. torch names the folder in it like
/// the file.
#[test]
fn archives_of_all_names_are_read() {
    let what = "weights from .pth files with names of 1 to 64 letters: torch's older and newer layout, \
                zip64, without checksums";
    let mut off = Comparison::new(what, "", 0.);
    for name in [
        "nnnnnnnnnnnnnnnnnnnnn.pth",
        "checkpoint_epoch_0010.pth",
        "fine_tuned_hotdog_net.pth",
        "model_best_weights_v2.pth",
        "name_in_japanese.pth",
        "without_checksums.pth",
    ] {
        is_read(&mut off, &weights(name));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut plain = zip::ZipArchive::new(fs::File::open(weights("plain.pth")).unwrap()).unwrap();
    let mut entry = |name: &str| {
        let mut content = vec![];
        let mut entry = plain.by_name(&format!("plain/{name}")).unwrap();
        std::io::copy(&mut entry, &mut content).unwrap();
        content
    };
    let names = ["data.pkl", "byteorder", "data/0", "data/1", "version", ".data/serialization_id"];
    let entries = names.map(|name| (name, entry(name)));
    let older: Vec<_> =
        entries.iter().filter(|(name, _)| !name.starts_with(['b', '.'])).cloned().collect();
    for length in 1..=64 {
        let name = "n".repeat(length);
        let path = folder.path().join(&name).with_extension("pth");
        for (entries, alignment) in [(&older[..], 1), (&entries[..], 64)] {
            let zip = stored(&name, entries, alignment);
            for content in [as_zip64(&zip), zip] {
                fs::write(&path, content).unwrap();
                is_read(&mut off, &path);
            }
        }
    }
}

/// A zip as torch writes it: nothing is compressed, numbers are aligned.
fn stored(top: &str, entries: &[(&str, Vec<u8>)], alignment: u16) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .with_alignment(alignment);
    for (name, content) in entries {
        zip.start_file(format!("{top}/{name}"), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The same with the end record of large archives.
fn as_zip64(zip: &[u8]) -> Vec<u8> {
    let (start, end) = zip.split_at(zip.len() - 22);
    assert!(end.starts_with(b"PK\x05\x06"));
    let long = |range: std::ops::Range<usize>| {
        let mut bytes = [0; 8];
        bytes[..range.len()].copy_from_slice(&end[range]);
        bytes
    };
    let mut whole = start.to_vec();
    whole.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
    whole.extend([long(10..12), long(10..12), long(12..16), long(16..20)].concat());
    whole.extend(b"PK\x06\x07\0\0\0\0");
    whole.extend((start.len() as u64).to_le_bytes());
    whole.extend(
        b"\x01\0\0\0PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0",
    );
    whole
}

/// F6: the dictionary is taken whose names and shapes fit, not the largest or the last.
#[test]
fn the_state_dict_that_fits_is_taken() {
    let what =
        "weights from checkpoints with other dictionaries of tensors in them: the one that fits";
    let mut off = Comparison::new(what, "", 0.);
    for name in [
        "adam_first.pth",
        "lightning.pth",
        "same_twice.pth",
        "compiled.pth",
        "gan.pth",
        "in_a_list.pth",
        "in_an_optimizer.pth",
        "multisteplr.pth",
    ] {
        is_read(&mut off, &weights(name));
    }
    // Two that differ in their shapes, each in turn
    let discriminator = linear(3, 4).unwrap();
    load_weights(&discriminator, weights("gan.pth")).unwrap();
    let expected = Tensor::from_slice(&common::noise(12, 2)).view([4, 3]);
    off.add("gan.pth: the other", difference(&discriminator.weight, &expected));
}

/// F6: where two fit, the reader chooses.
#[test]
fn of_two_state_dicts_that_fit_the_reader_chooses() {
    let what = "weights from files with two state dicts that fit, the one that is asked for";
    let mut off = Comparison::new(what, "", 0.);
    let folder = tempfile::tempdir().unwrap();
    let (model, other) = (small(), small());
    fill_small(&model);
    fill_small(&other);
    {
        let _guard = d2l::tch::no_grad_guard();
        other.parameters().iter_mut().for_each(|tensor| drop(tensor.g_mul_scalar_(100.)));
    }
    let ot = folder.path().join("two.ot");
    let named = |prefix: &str, net: &Linear| -> Vec<_> {
        let state = net.state_dict().into_iter();
        state.map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)).collect()
    };
    let mut both = named("model", &model);
    both.extend(named("average", &other));
    Tensor::save_multi(&both, &ot).unwrap();
    let cases = [
        (weights("model_then_ema.pth"), "model", "ema"),
        (weights("timm.pth"), "state_dict", "state_dict_ema"),
        (weights("student_teacher.pth"), "teacher", "student"),
        (weights("student_teacher.safetensors"), "model", "ema"),
        // The average has a step count beside it, as in torch.
        (weights("model_and_average.pth"), "model", "model_ema.module"),
        (ot, "model", "average"),
    ];
    for (path, first, second) in cases {
        let file = path.file_name().unwrap().to_str().unwrap();
        let text = refused("two state dicts that fit", file, &error_of(&small(), &path));
        for part in [&format!("{first:?}"), &format!("{second:?}"), "load_weights_from(&net, path"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        for (key, expected) in [(first, &model), (second, &other)] {
            let net = small();
            load_weights_from(&net, &path, key).unwrap();
            compare(&mut off, &format!("{file}, {key}"), &net, expected);
        }
        let net = small();
        let error = load_weights_from(&net, &path, "neither").unwrap_err();
        let text = refused("a missing state dict", file, &error);
        assert!(text.contains("neither") && text.contains("tensor"), "{text}");
    }
    // A part of a dictionary is used on request.
    for (name, key, rest) in [
        ("teacher_with_head.pth", "teacher.backbone", "1 more"),
        ("averaged.pth", "module", "1 more"),
    ] {
        let text = refused("a part that fits", name, &error_of(&small(), &weights(name)));
        assert!(text.contains(&format!("(&net, path, {key:?})")) && text.contains(rest), "{text}");
        let net = small();
        load_weights_from(&net, weights(name), key).unwrap();
        compare(&mut off, name, &net, &model);
    }
    let net = small();
    load_weights_from(&net, weights("plain.pth"), "").unwrap();
    compare(&mut off, "plain.pth, the outermost", &net, &model);
}

/// F6: where none fits, the error lists the contents. An optimizer's state is not a model.
#[test]
fn the_contents_are_listed_where_no_state_dict_fits() {
    let file = "autoencoder.pth";
    let text = refused("no state dict that fits", file, &error_of(&small(), &weights(file)));
    for part in [
        "\"encoder\" (2 tensors)",
        "\"decoder\" (1 tensor)",
        "closest is \"decoder\"",
        "bias is missing",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("exp_avg") && !text.contains("optimizer"), "{text}");
    let file = "only_adam.pth";
    let text = refused("an optimizer alone", file, &error_of(&small(), &weights(file)));
    assert!(text.contains("no tensors with names"), "{text}");
}

/// F7: `num_batches_tracked` may be missing or have the shape of older torch, as in PyTorch itself.
#[test]
fn batch_norms_of_older_files_are_read() {
    let what = "batch norms from files without num_batches_tracked, or with it in the shape [1]";
    let mut off = Comparison::new(what, "", 0.0005);
    let expected = BatchNorm2d::new(4).unwrap();
    fill(&expected);
    let folder = tempfile::tempdir().unwrap();
    let ot = folder.path().join("old_bn.ot");
    let mut state = expected.state_dict();
    state.retain(|(name, _)| name != "num_batches_tracked");
    Tensor::save_multi(&state, &ot).unwrap();
    let mut files: Vec<PathBuf> = [
        "old_bn.pth",
        "old_bn_of_one.pth",
        "old_bn_nested.pth",
        "old_bn_parameters.pth",
        "old_bn.safetensors",
    ]
    .map(weights)
    .to_vec();
    files.push(ot);
    for path in files {
        let net = BatchNorm2d::new(4).unwrap();
        load_weights(&net, &path).unwrap_or_else(|error| panic!("{error}"));
        compare(&mut off, &path.display().to_string(), &net, &expected);
    }
    // A whole network's, like torchvision's own older files
    let path = folder.path().join("resnet18-5c106cde.safetensors");
    let old = net(3);
    fill(&old);
    let mut state = old.state_dict();
    state.retain(|(name, _)| !name.ends_with("num_batches_tracked"));
    Tensor::write_safetensors(&state, &path).unwrap();
    let loaded = net(3);
    load_weights(&loaded, &path).unwrap();
    compare(&mut off, "ResNet-18", &loaded, &old);
    // A custom batch norm that does not count
    save_weights(&expected, folder.path().join("new.safetensors")).unwrap();
    let own = OwnNorm(BatchNorm2d::new(4).unwrap());
    load_weights(&own, folder.path().join("new.safetensors")).unwrap();
    off.add("more than is needed", difference(&own.0.running_var, &expected.running_var));
}

/// F7: what a batch norm needs is an error where it is missing.
#[test]
fn a_batch_norm_without_statistics_is_refused() {
    let norm = BatchNorm2d::new(4).unwrap();
    let text = refused("no statistics", "no_mean.pth", &error_of(&norm, &weights("no_mean.pth")));
    assert!(
        text.contains("1 key does not fit") && text.contains("running_mean is missing"),
        "{text}"
    );
    let mut state = norm.state_dict();
    state[4].1 = Tensor::zeros([3], (Kind::Int64, Device::Cpu));
    let text = norm.load_state_dict(&state).unwrap_err().to_string();
    assert!(text.contains("num_batches_tracked has shape [3]"), "{text}");
}

#[derive(Debug)]
struct OwnNorm(BatchNorm2d);

impl Module for OwnNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.0.weight);
        visitor.parameter("bias", &self.0.bias);
        visitor.buffer("running_mean", &self.0.running_mean);
        visitor.buffer("running_var", &self.0.running_var);
    }
}

/// F8: values beside the weights are not needed, and not run.
#[test]
fn other_values_beside_the_weights_do_no_harm() {
    let what = "weights beside schedules, settings, paths, states of random numbers, arrays, containers, \
                objects and tensors of other kinds, in pickles of all protocols";
    let mut off = Comparison::new(what, "", 0.);
    for name in [
        "multisteplr.pth",
        "one_cycle.pth",
        "namespace.pth",
        "path.pth",
        "random_states.pth",
        "numpy.pth",
        "containers.pth",
        "containers_1.pth",
        "containers_3.pth",
        "containers_5.pth",
        "own_class.pth",
        "flat.pth",
        "attributes.pth",
        "buffers.pth",
        "default_dict.pth",
        "kinds_beside.pth",
    ] {
        is_read(&mut off, &weights(name));
    }
}

/// F8, F15: a needed tensor of an unsupported kind, or one that depends on a call, is refused by name.
#[test]
fn tensors_of_other_kinds_are_refused_by_name() {
    for (name, kind) in [
        ("odd_quantized.pth", "weight is a quantized tensor"),
        ("odd_sparse.pth", "weight is a sparse tensor"),
        ("odd_complex.pth", "weight is a tensor of torch.ComplexFloatStorage"),
        ("odd_float8.pth", "weight is a tensor of torch.float8_e4m3fn"),
        ("odd_float8.safetensors", "weight is a tensor of F8_E4M3"),
        ("odd_meta.pth", "weight is a tensor without numbers"),
        ("odd_negated.pth", "negated"),
        ("odd_subclass.pth", "weight is a tensor of the class torchvision.tv_tensors"),
        ("odd_array.pth", "weight is no tensor but what numpy"),
        ("odd_model_inside.pth", "torch.nn.modules.container.Sequential (at \"model\")"),
        ("odd_dictionary.pth", "__main__.AttributeDict"),
        ("odd_script.pt", "quantized.LinearPackedParams"),
    ] {
        let text = refused(
            "weights of a kind that is not read",
            name,
            &error_of(&small(), &weights(name)),
        );
        assert!(text.contains(kind) && !text.contains("damaged"), "{kind}: {text}");
    }
}

/// A torch file whose directory gives each entry another compression method.
fn compressed_by(method: u8) -> Vec<u8> {
    let mut content = fs::read(weights("plain.pth")).unwrap();
    for (mark, place) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        let heads: Vec<_> =
            (0..content.len()).filter(|&i| content[i..].starts_with(mark)).collect();
        heads.into_iter().for_each(|head| content[head + place] = method);
    }
    content
}

/// F15: a file of another kind is told apart from a damaged one.
#[test]
fn files_of_other_kinds_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let reference = |name: &str| fs::read(weights(name)).unwrap();
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let keras = [("model.weights.h5", vec![1]), ("config.json", vec![2])];
    let inner = [("net.pth", reference("plain.pth"))];
    let two = [("data.pkl", vec![1]), ("other/data.pkl", vec![2])];
    let top_level = |entries: &[(&str, Vec<u8>)]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
        for (name, content) in entries {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n".to_vec();
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("legacy.pth", reference("legacy.pth"), "before version 1.6", "torch.save(torch.load("),
        ("legacy_4.pth", reference("legacy_4.pth"), "before version 1.6", "torch.save(torch.load("),
        ("net.h5", b"\x89HDF\r\n\x1a\n\0\0\0\0".to_vec(), "HDF5, as Keras", "save_file"),
        ("net.keras", top_level(&keras), "Keras", "save_file"),
        ("net.onnx", b"\x08\x07\x12\x07pytorch".to_vec(), "ONNX", "save_file"),
        ("newer.onnx", b"\x08\x0a\x12\x07pytorch".to_vec(), "ONNX", "save_file"),
        (
            "saved_model.pb",
            b"\x08\x01\x12\x9c\x01".to_vec(),
            "SavedModel of TensorFlow",
            "save_file",
        ),
        ("frozen.pb", b"\x0a\x40\x0a\x01x".to_vec(), "TensorFlow", "save_file"),
        ("net.tflite", b"\x1c\0\0\0TFL3\0\0".to_vec(), "TensorFlow Lite", "save_file"),
        ("net.gguf", b"GGUF\x03\0\0\0{\0\0\0\0\0\0\0".to_vec(), "GGUF", "save_file"),
        ("net.npy", reference("odd_array.npy"), "NumPy (.npy)", "arrays"),
        ("net.npz", reference("odd_arrays.npz"), "NumPy (.npz)", "arrays"),
        ("net.mat", b"MATLAB 5.0 MAT-file".to_vec(), "MATLAB", "arrays"),
        ("pointer.pth", lfs.clone(), "Git LFS", "git lfs pull"),
        ("pointer.safetensors", lfs, "Git LFS", "git lfs pull"),
        ("page.pth", b"<!DOCTYPE html><html>".to_vec(), "web page", "fetch the file itself"),
        (
            "page.safetensors",
            b"\xef\xbb\xbf\n <html>".to_vec(),
            "web page",
            "fetch the file itself",
        ),
        ("net.pth.gz", b"\x1f\x8b\x08\0".to_vec(), "gzip", "unpack"),
        ("net.pth.tar", tar, "tar", "unpack"),
        ("packed.zip", top_level(&inner), "net.pth is in it", "unpack"),
        ("two.zip", stored("net", &two, 1), "net, net/other", "unpack"),
        ("deflate64.pth", compressed_by(9), "a zip of a kind", "unpack"),
        ("bzip2.pth", compressed_by(12), "a zip of a kind", "unpack"),
        ("zstd.pth", compressed_by(93), "a zip of a kind", "unpack"),
        (
            "forest.pkl",
            b"\x80\x04\x95\0\0\0\0\0\0\0\0.".to_vec(),
            "torch.save did not write",
            "save_file",
        ),
        (
            "model.safetensors.index.json",
            b"{\"metadata\": {}}".to_vec(),
            "several files",
            "into one",
        ),
        ("image.pth", b"\x89PNG\r\n\x1a\n".to_vec(), "no weights", "name a file of weights"),
    ];
    for (name, content, kind, todo) in cases {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let text = refused("a file of another kind", name, &error_of(&small(), &path));
        assert!(text.contains(kind) && text.contains(todo), "{kind}, {todo}: {text}");
        assert!(!text.contains("damaged"), "{text}");
    }
    let text = refused("a folder", "folder.pth", &{
        let path = folder.path().join("folder.pth");
        fs::create_dir(&path).unwrap();
        error_of(&small(), &path)
    });
    assert!(text.contains("a folder, not a file"), "{text}");
    let zeros = folder.path().join("zeros.pth");
    fs::write(&zeros, [0; 700]).unwrap();
    let text = refused("a file of zeros", "zeros.pth", &error_of(&small(), &zeros));
    assert!(text.contains("damaged or cut off"), "{text}");
}

/// C9, C10: no small file takes much memory.
#[test]
fn small_files_take_little_memory() {
    const NAME: &str = "weight_file::small_files_take_little_memory";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let most = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    let path = folder.path().join("net.pth");
    fs::write(&path, stored("net", &[("data.pkl", vec![b'N', b'.'])], 1)).unwrap();
    error_of(&small(), &path);
    let before = most();
    // A list of a million integers is the size of each of a thousand tensors.
    let mut shapes = b"\x80\x02}(ctorch._utils\n_rebuild_tensor_v2\nq\0".to_vec();
    shapes.extend(
        b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQK\0(",
    );
    shapes.extend(b"K\x01".repeat(1_000_000));
    shapes.extend(b"tq\x01h\x01\x89Ntq\x020");
    shapes.extend(b"h\0h\x02R0".repeat(1000));
    shapes.extend(b"u.");
    // A dictionary of a hundred thousand values is the state of each of ten thousand objects.
    let mut states = b"\x80\x02}q\0(".to_vec();
    states.extend(b"X\x01\0\0\0aN".repeat(100_000));
    states.extend(b"uq\x01c__torch__.M\nM\nq\x020");
    states.extend(b"h\x02)\x81h\x01b0".repeat(10_000));
    states.extend(b"h\x01.");
    // One tensor in each of many dictionaries, and lists that are nested many times
    let mut nested = b"\x80\x02]".to_vec();
    nested.extend(b"q\0]h\0ah\0ah\0ah\0a".repeat(100_000));
    nested.push(b'.');
    for (what, pickle, found) in [
        ("shapes", shapes, "1000000 dimensions"),
        ("states", states, "no tensors"),
        ("nested", nested, "no tensors"),
    ] {
        fs::write(&path, stored("net", &[("data.pkl", pickle), ("data/0", vec![0; 24])], 1))
            .unwrap();
        let text =
            refused("a pickle that would take much memory", "net.pth", &error_of(&small(), &path));
        assert!(text.contains(found), "{what}: {text}");
        assert!(most() < before + 400, "{what}: {} MB, {before} MB before", most());
    }
    let before = most();
    // 300 MB of zeros in a file of some KB
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let options = zip::write::SimpleFileOptions::default();
    let count = (75_000_000u32).to_le_bytes();
    zip.start_file("net/data.pkl", options).unwrap();
    zip.write_all(&pickle_of(&count)).unwrap();
    zip.start_file("net/data/0", options).unwrap();
    for _ in 0..300 {
        zip.write_all(&vec![0; 1_000_000]).unwrap();
    }
    fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
    let net = linear(3, 2).unwrap();
    let text =
        refused("a .pth that was compressed", "net.pth", &error_of(&OneWeight(net.weight), &path));
    assert!(text.contains("compressed") && !text.contains("damaged"), "{text}");
    assert!(most() < before + 100, "{} MB, {before} MB before", most());
    // Entries that were compressed a little are read.
    let small_one = top_deflated(&pickle_of(&6u32.to_le_bytes()));
    fs::write(&path, small_one).unwrap();
    load_weights(&OneWeight(linear(3, 2).unwrap().weight), &path).unwrap();
    // A storage of 16 GB that the pickle mentions and the file lacks
    fs::write(
        &path,
        stored(
            "net",
            &[("data.pkl", pickle_of(&u32::MAX.to_le_bytes())), ("data/0", vec![0; 24])],
            1,
        ),
    )
    .unwrap();
    let net = OneWeight(linear(3, 2).unwrap().weight);
    let text = refused("a storage of impossible length", "net.pth", &error_of(&net, &path));
    assert!(text.contains("damaged"), "{text}");
    assert!(most() < before + 100, "{} MB, {before} MB before", most());
}

/// A weight alone.
#[derive(Debug)]
struct OneWeight(Tensor);

impl Module for OneWeight {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.shallow_clone())
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.0);
    }
}

/// `weight` of six numbers in a storage of this many.
fn pickle_of(count: &[u8; 4]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(X\x06\0\0\0weightctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    pickle.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu\x8a\x05");
    pickle.extend(count);
    pickle.extend(b"\0tQK\0K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtRu.");
    pickle
}

fn top_deflated(pickle: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, content) in [("net/data.pkl", pickle), ("net/data/0", &[0; 24])] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// C12: only torchvision's file names contain a checksum; others may end in any digits.
#[test]
fn only_torchvisions_file_names_promise_a_checksum() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "net-3fa4c1d2.safetensors",
        "resnet18-0a1b2c3d.safetensors",
        "run-20261126a.safetensors",
        "hotdog-deadbeefdeadbeef.safetensors",
    ] {
        let (net, loaded) = (small(), small());
        let path = folder.path().join(name);
        save_weights(&net, &path).unwrap();
        load_weights(&loaded, &path).unwrap();
        assert_eq!(difference(&net.weight, &loaded.weight), 0., "{name}");
    }
    for name in ["resnet18-f37072fd.pth", "resnet34-b627a593.pth", "resnet50-0676ba61.pth"] {
        let path = folder.path().join(name);
        fs::copy(weights("plain.pth"), &path).unwrap();
        let error = error_of(&small(), &path);
        assert!(matches!(error, Error::Checksum { .. }), "{error}");
        let text = refused("another file under a name of torchvision's", name, &error);
        assert!(text.contains("its SHA-256 is"), "{text}");
    }
}

/// C23: a failed write is not blamed on libtorch, and no name is written twice.
#[test]
fn what_cannot_be_saved_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let complex = OneWeight(Tensor::zeros([2], (Kind::ComplexFloat, Device::Cpu)));
    let text = refused(
        "numbers that cannot be saved",
        "net.safetensors",
        &save_weights(&complex, &path).unwrap_err(),
    );
    assert!(
        text.contains("weight") && text.contains("ComplexFloat") && !text.contains("libtorch"),
        "{text}"
    );
    let twice = Twice(small().weight);
    let text =
        refused("one name twice", "net.safetensors", &save_weights(&twice, &path).unwrap_err());
    assert!(text.contains("\"weight\""), "{text}");
    assert!(common::names(folder.path()).is_empty());
}

#[derive(Debug)]
struct Twice(Tensor);

impl Module for Twice {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.shallow_clone())
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.parameter("weight", &self.0);
        visitor.parameter("weight", &self.0);
    }
}

/// The name must match the content: only `.safetensors` is written.
#[test]
fn weights_are_saved_as_safetensors_only() {
    let folder = tempfile::tempdir().unwrap();
    let net = small();
    let trainer = SGD::new(net.parameters(), 0.1).unwrap();
    for name in ["net.pth", "net.pt", "net.ot", "net", "net.h5", "net.safetensors.bak"] {
        let path = folder.path().join(name);
        for error in [save_weights(&net, &path), save_checkpoint(&net, &trainer, None, 1, &path)] {
            let text = refused("a name of another kind", name, &error.unwrap_err());
            assert!(text.contains(".safetensors") && text.contains("load_file"), "{text}");
        }
    }
    assert!(common::names(folder.path()).is_empty());
    save_weights(&net, folder.path().join("NET.SafeTensors")).unwrap();
    load_weights(&net, folder.path().join("NET.SafeTensors")).unwrap();
}

/// The likely reason is given: a bias too many or too few, other classes, another architecture.
#[test]
fn the_likely_reason_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let advice = |saved: &dyn Module, net: &dyn Module| {
        save_weights(saved, &path).unwrap();
        refused("weights of another network", "net.safetensors", &error_of(net, &path))
    };
    let conv = |bias| Conv2d::new(3, 4, 3).unwrap().bias(bias).unwrap();
    let text = advice(&conv(true), &conv(false));
    assert!(text.contains("bias is not in the network") && text.contains(".bias(true)?"), "{text}");
    assert!(text.contains("1 of the model's 1"), "{text}");
    let text = advice(&conv(false), &conv(true));
    assert!(text.contains("bias is missing") && text.contains(".bias(false)?"), "{text}");
    let text = advice(&net(10), &net(2));
    assert!(text.contains("10 outputs of fc, this one has 2"), "{text}");
    assert!(text.contains("120 of the model's 122"), "{text}");
    let text = advice(&d2l::resnet18(10, 3).unwrap(), &net(2));
    assert!(text.contains("another architecture") && text.contains("more"), "{text}");
}
