//! The order in which a tensor's methods are offered.
//!
//! tch has three functions for most of libtorch's operators: `sum`, which panics, `f_sum`, which returns
//! a `Result`, and `sum_out`, which writes into a tensor that is there. That makes thousands, by which
//! they can be told from all other lists: no table of types is needed. Elsewhere evcxr's order stays.

use std::collections::HashSet;

use serde_json::{Value, json};

/// What the book and PyTorch's users call most, in the order in which it is offered: functions that make
/// tensors, then what a tensor is, its shape, arithmetic, where it is, and what is learnt.
const COMMON: &str = "
    zeros ones full rand randn randint randperm arange linspace eye from_slice cat stack
    size dim numel kind device double_value int64_value get print
    shape view reshape flatten squeeze squeeze_dim unsqueeze permute transpose tr narrow select
    index_select slice split chunk expand repeat
    sum sum_dim_intlist mean mean_dim std var max max_dim min min_dim argmax argmin softmax log_softmax
    relu sigmoid tanh exp log sqrt abs pow pow_tensor_scalar clamp round norm topk sort
    matmul mm bmm dot add sub mul div eq ne gt ge lt le eq_tensor gt_tensor lt_tensor where_self
    masked_select gather logical_and logical_not all any
    to_device to_kind to copy shallow_clone detach contiguous zeros_like ones_like
    backward grad zero_grad requires_grad requires_grad_ set_requires_grad
    cross_entropy_for_logits accuracy_for_logits onehot save
";

/// Puts the completions into the order in which a reader wants them, where they are a tensor's.
pub fn sort(content: &mut Value) {
    let Some(matches) = content["matches"].as_array() else { return };
    let names: Vec<String> = matches.iter().filter_map(Value::as_str).map(name).collect();
    if names.len() != matches.len() || !are_of_tch(&names) {
        return;
    }
    let common: Vec<&str> = COMMON.split_whitespace().collect();
    // After `Tensor::` methods are offered, too.
    let is_method = |index: usize| {
        let code = matches[index].as_str().unwrap_or_default();
        ["(&self", "(&mut self", "(self"]
            .iter()
            .any(|start| code[names[index].len()..].starts_with(start))
    };
    let rank = |index: usize| {
        let name = names[index].as_str();
        match common.iter().position(|common| *common == name) {
            Some(position) => (0, false, position),
            None => (group(name), is_method(index), common.len()),
        }
    };
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_cached_key(|&index| (rank(index), names[index].clone()));

    let sorted = |list: &Value| -> Option<Value> {
        let list = list.as_array().filter(|list| list.len() == order.len())?;
        Some(order.iter().map(|&index| list[index].clone()).collect())
    };
    let (by_rank, types) = (sorted(&content["matches"]), sorted(&content["metadata"][TYPES]));
    if let Some(by_rank) = by_rank {
        content["matches"] = by_rank;
        // JupyterLab takes the nth type for the nth completion.
        content["metadata"] = types.map_or_else(|| json!({}), |types| json!({ TYPES: types }));
    }
}

/// JupyterLab's name for it, which evcxr uses.
const TYPES: &str = "_jupyter_types_experimental";

fn name(code: &str) -> String {
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_');
    code[..end.unwrap_or(code.len())].to_string()
}

fn are_of_tch(names: &[String]) -> bool {
    let all: HashSet<&str> = names.iter().map(String::as_str).collect();
    names.iter().any(|name| {
        name.strip_prefix("f_").is_some_and(|plain| all.contains(plain))
            || name.strip_suffix("_out").is_some_and(|plain| all.contains(plain))
    })
}

/// What few readers look for comes last.
fn group(name: &str) -> u8 {
    match name {
        _ if name.ends_with("_ptr") => 5,
        _ if name.starts_with("f_") => 4,
        _ if name.starts_with("internal_") => 3,
        _ if name.trim_end_matches('_').ends_with("_out") => 2,
        "into" | "try_into" | "to_owned" | "clone_into" | "borrow" | "borrow_mut" => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(matches: &[&str]) -> Vec<String> {
        let types: Vec<Value> = matches.iter().map(|code| json!({"text": code})).collect();
        let mut content = json!({"matches": matches, "metadata": {TYPES: types}});
        sort(&mut content);
        let matches = content["matches"].as_array().unwrap();
        for (index, code) in matches.iter().enumerate() {
            assert_eq!(content["metadata"][TYPES][index]["text"], *code);
        }
        matches.iter().map(|code| code.as_str().unwrap().to_string()).collect()
    }

    #[test]
    fn a_tensors_methods_come_in_a_useful_order() {
        let given = [
            "as_ptr()",
            "f_abs()",
            "abs_out(out)",
            "internal_cast(x)",
            "abs_()",
            "zeta()",
            "backward()",
            "abs()",
            "size()",
            "acos()",
            "into()",
        ];
        let wanted = [
            "size()",
            "abs()",
            "backward()",
            "abs_()",
            "acos()",
            "zeta()",
            "abs_out(out)",
            "into()",
            "internal_cast(x)",
            "f_abs()",
            "as_ptr()",
        ];
        assert_eq!(sorted(&given), wanted);
    }

    #[test]
    fn functions_that_make_tensors_come_before_methods() {
        let given = [
            "size(&self)",
            "abs(&self)",
            "f_abs(&self)",
            "acos(&self)",
            "zeros(size)",
            "vander(x)",
        ];
        let wanted = [
            "zeros(size)",
            "size(&self)",
            "abs(&self)",
            "vander(x)",
            "acos(&self)",
            "f_abs(&self)",
        ];
        assert_eq!(sorted(&given), wanted);
    }

    #[test]
    fn other_lists_stay_as_they_are() {
        let given = ["view", "fan_out()", "f_x()", "abs()", "size()"];
        assert_eq!(sorted(&given), given);
    }
}
