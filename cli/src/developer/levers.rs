//! Kernels without our latest patches of evcxr, for the benchmark: one without all those that make the
//! kernel faster, and one with each more of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::slice;

use anyhow::Result;

use crate::project::Project;
use crate::setup::stamp::unless_done;
use crate::setup::{kernel, patches};
use crate::steps::Steps;

/// From this patch on they are about speed.
const FIRST: &str = "0029";

/// Builds the kernels: `target/bench/levers/0028/d2l-kernel` has the patches up to that number, and so on.
/// The one with all of them is the installed one.
pub fn build(project: &Project, steps: &Steps) -> Result<()> {
    let all = patches_of(project)?;
    for ((last, _), (next, _)) in all.iter().zip(all.iter().skip(1)) {
        if next.as_str() >= FIRST {
            build_up_to(project, steps, last)?;
        }
    }
    Ok(())
}

/// The number and the path of each patch.
fn patches_of(project: &Project) -> Result<BTreeMap<String, PathBuf>> {
    let mut patches = BTreeMap::new();
    for entry in fs::read_dir(project.path("kernel/patches"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        patches.extend(name.split_once('-').map(|(number, _)| (number.to_string(), path)));
    }
    Ok(patches)
}

fn build_up_to(project: &Project, steps: &Steps, last: &str) -> Result<()> {
    let folder = project.path("target/bench/levers").join(last);
    let (some, executable) = (folder.join("patches"), folder.join("d2l-kernel"));
    let inputs = kernel::sources(project)?;
    unless_done(&folder.join("stamp"), &inputs, slice::from_ref(&executable), || {
        let _ = fs::remove_dir_all(&some);
        fs::create_dir_all(&some)?;
        for (number, file) in patches_of(project)? {
            if number.as_str() <= last {
                fs::copy(&file, some.join(format!("{number}.patch")))?;
            }
        }
        let what = format!("Building a kernel with the patches up to {last}");
        steps.run(&what, "half a minute", |bar| {
            // In one place, so that Cargo takes them for the same packages.
            let copies = project.path("target/bench/levers/patched");
            kernel::compile(project, bar, patches::apply(project, &some, &copies)?, &executable)
        })
    })
}
