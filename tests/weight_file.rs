//! Weights from files: the kinds that are read, and bad ones.

mod common;

use std::fs;

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

#[test]
fn a_file_that_does_not_fit_names_all_keys_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let mut state = net(3).state_dict();
    state.retain(|(name, _)| name != "bn1.bias");
    state.push(("extra.weight".into(), Tensor::zeros([2], (Kind::Float, Device::Cpu))));
    Tensor::write_safetensors(&state, &path).unwrap();
    let net = net(2);
    let before = net.fc.weight.copy();
    let error = load_weights(&net, &path).unwrap_err().to_string();
    for part in ["other.safetensors", "bn1.bias is missing", "extra.weight is not in the net"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(error.contains("fc.weight has shape [3, 512], the net's is [2, 512]"), "{error}");
    assert_eq!(difference(&net.fc.weight, &before), 0.);
}

#[test]
fn bad_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.safetensors");
    Tensor::write_safetensors(&net(2).state_dict(), &whole).unwrap();
    let whole = fs::read(whole).unwrap();
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("page.pth", b"<html>404</html>".to_vec(), "<html>"),
        ("empty.pth", vec![], "no weights"),
        ("old.pth", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P".to_vec(), "before version 1.6"),
        ("cut.safetensors", whole[..whole.len() / 2].to_vec(), "damaged"),
        ("cut.pth", b"PK\x03\x04nothing more".to_vec(), "damaged"),
    ];
    for (name, content, reason) in cases {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let error = load_weights(&net(2), &path).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(reason), "{error}");
        assert!(error.contains("what to do"), "{error}");
    }
    let missing = load_weights(&net(2), &folder.path().join("missing.pth")).unwrap_err();
    assert!(missing.to_string().contains("missing.pth"));
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
    let error = resnet18(Weights::ImageNet).unwrap_err().to_string();
    assert!(error.contains("resnet18-f37072fd.pth") && error.contains("f37072fd"), "{error}");
    assert!(error.contains("remove the file"), "{error}");
}
