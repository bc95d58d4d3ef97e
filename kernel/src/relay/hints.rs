//! Hints for those who know Python and PyTorch, where the compiler has none or one that misleads.
//!
//! A hint is a row of [`SYNTAX`] or [`HABITS`]: what the compiler says, what the line looks like, and what
//! to write instead. It must be true whenever both fit; what would only be a guess has no row.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Value, json};

/// Patterns for the error and for its line, and the hint, in which `$1` is the line's first group.
type Row = (&'static str, &'static str, &'static str);

/// Python that is not Rust at all. The pattern is for the message; the line has no text within quotes. What
/// else the compiler says of such a cell is not shown.
const SYNTAX: &[Row] = &[
    ("`!` or `\\[`", "#", "a comment begins with `//`"),
    (
        "",
        r"^\s*(?:import|from)\s+(?:torch|numpy|d2l|matplotlib|random)\b",
        "names come with `use`: `use d2l::prelude::*;` brings tensors, models and the book's functions",
    ),
    ("", r"^\s*from\s+(\w+)\s+import\s+(\w+)", "names come with `use`: `use $1::$2;`"),
    (
        "",
        r"^\s*import\s+(\w+)",
        "names come with `use`: `use $1::...;`, of a crate after `:dep $1`",
    ),
    (
        "",
        r"^\s*def\s+(\w+)",
        "a function is `fn $1(x: f64) -> f64 { ... }`, with the types of what it takes and returns",
    ),
    (
        "",
        r"^\s*class\s+(\w+)",
        "a type is `struct $1 { ... }`; its methods are in `impl $1 { ... }`",
    ),
    ("", r"\blambda\s+([\w, ]+):\s*([^,;)]+)", "a closure is `|$1| $2`"),
    ("", r"\belif\b", "it is `else if`"),
    ("", "\\bf\"", "text with values is `format!(\"{x}\")`; `println!(\"{x}\")` prints it"),
    ("", "^\\s*\"\"\"", "a comment is `// ...`, above an item `/// ...`"),
    ("", r"([\w.]+)\s+is\s+not\s+None", "it is `$1.is_some()`"),
    ("", r"([\w.]+)\s+is\s+None", "it is `$1.is_none()`"),
    (
        "",
        r"\[\s*(.+?)\s+for\s+(\w+)\s+in\s+range\(([^,()]+)\)\s+if\s+(.+?)\s*\]\s*;?\s*$",
        "a list that a loop makes is `(0..$3).filter(|&$2| $4).map(|$2| $1).collect::<Vec<_>>()`",
    ),
    (
        "",
        r"\[\s*(.+?)\s+for\s+(\w+)\s+in\s+range\(([^,()]+)\)\s*\]",
        "a list that a loop makes is `(0..$3).map(|$2| $1).collect::<Vec<_>>()`",
    ),
    (
        "",
        r"\[\s*(.+?)\s+for\s+(\w+)\s+in\s+([\w.]+)\s+if\s+(.+?)\s*\]\s*;?\s*$",
        "a list that a loop makes is `$3.iter().copied().filter(|&$2| $4).map(|$2| $1).collect::<Vec<_>>()`",
    ),
    (
        "",
        r"\[\s*(.+?)\s+for\s+(\w+)\s+in\s+([^\]]+\.\.[^\]]*?)\s*\]",
        "a list that a loop makes is `($3).map(|$2| $1).collect::<Vec<_>>()`",
    ),
    (
        "",
        r"\[\s*(.+?)\s+for\s+(\w+)\s+in\s+([^\]]+?)\s*\]",
        "a list that a loop makes is `$3.iter().map(|$2| $1).collect::<Vec<_>>()`",
    ),
    (
        "",
        r"^\s*for\s+(.+?)\s+in\s+range\(([^,()]+)\)\s*:",
        "a block is in braces, a range has dots: `for $1 in 0..$2 { ... }`",
    ),
    ("", r"^\s*(for|while|if)\s+(.+?)\s*:", "a block is in braces: `$1 $2 { ... }`"),
    (
        "",
        r"^\s*with\s+(?:torch\.)?no_grad",
        "it is `d2l::tch::no_grad(|| ...)`, which returns what the closure does",
    ),
    (
        "",
        r"^\s*with\s+",
        "there is no `with`: a file or a guard is closed where its block, `{ ... }`, ends",
    ),
    (
        "",
        r"^\s*(?:try|except)\b",
        "there is no `try`: `?` passes an error on; `match f() { Ok(x) => ..., Err(e) => ... }` looks at it",
    ),
    (
        "",
        r"(?:=|^)\s*([^={};]+?)\s+if\s+([^{}]+?)\s+else\s+([^;{}]+)",
        "it is `if $2 { $1 } else { $3 }`",
    ),
    ("found keyword `in`", r"([\w.]+)\s+in\s+([\w.]+)", "it is `$2.contains(&$1)`"),
    ("", r"\sand\s", "`and` is `&&`"),
    ("", r"\sor\s", "`or` is `||`"),
    ("", r"\bnot\s+(\w+)", "`not` is `!`: `!$1`"),
    ("found `@`", r"&?([\w.]+)\s*@\s*&?([\w.]+)", "a matrix product is `$1.matmul(&$2)`"),
    (
        "found `[,:\\[]",
        r"(\w+)\[[^\[\]]*:[^\[\]]*,[^\[\]]*\]|(\w+)\[[^\[\]]*,[^\[\]]*:[^\[\]]*\]",
        "parts of a tensor are `t.i((.., 1..3))`, `..` for all",
    ),
    (
        "found `[,:\\[]",
        r"(\w+)\[([^\[\]:]+,[^\[\]:]+)\]",
        "of a tensor it is `$1.i(($2))`; of a `Vec` in a `Vec`, `v[0][1]`",
    ),
    (
        "found `:`",
        r"(\w+)\[([^\[\]:,]*):([^\[\]:,]*)\]",
        "a range has dots: `&$1[$2..$3]`; of a tensor `$1.i($2..$3)`",
    ),
    (
        "in pattern",
        r"let\s+(\w+(?:\s*,\s*\w+)+)\s*=\s*([^;]+)",
        "several names are a tuple: `let ($1) = ($2);`",
    ),
    (
        "",
        r"^\s*(\w+(?:\s*,\s*\w+)+)\s*=\s*([^;=]+)",
        "several names are a tuple: `let ($1) = ($2);`",
    ),
    ("found `:`", "\\{\\s*\"", "a map is `std::collections::HashMap::from([(\"a\", 1)])`"),
    ("", r"^\s*assert\s+([^;]+)", "it is `assert!($1);`"),
    ("", r"^\s*raise\b", "`Err(\"...\")?;` ends the cell with an error"),
    ("", r"^\s*del\s+(\w+)", "it is `drop($1);`"),
    ("", r"^\s*print\s+\S", "it is `println!(\"{x}\");`"),
    (
        "",
        r"^\s*(?:int|float|double|long|string|char|bool|auto|var)\s+(\w+)\s*=\s*([^;]+)",
        "a variable is `let $1 = ...;`",
    ),
];

/// The rest. The pattern for the error is for its code, its message and what stands below the code; TENSOR
/// stands for the name of tensors' type. The line has `‸` where the error is; RECV is what stands before a
/// method's dot.
const HABITS: &[Row] = &[
    // Tensors: indexing.
    ("E0608 .*TENSOR", r"RECV‸\[(-?\w+)\]", "a row is `$1.get($2)`"),
    ("E0608 .*TENSOR", r"RECV‸\[([^\[\]]+)\]", "it is `$1.i($2)`"),
    ("E0608 .*TENSOR", "", "a row is `t.get(0)`, parts are `t.i((0, 1..3))`"),
    // Tensors: what has another name. `.shape` and `.shape()` alike.
    ("E0(609|599) .*`shape`.*TENSOR", r"RECV\.‸shape", "it is `$1.size()`"),
    ("E0(609|599) .*`dtype`.*TENSOR", r"RECV\.‸dtype", "it is `$1.kind()`"),
    ("E0599 .*`t`.*TENSOR", r"RECV\.‸t\(", "it is `$1.tr()`"),
    ("E0(609|599) .*`T`.*TENSOR", r"RECV\.‸T", "it is `$1.tr()`"),
    ("E0(609|599) .*`ndim`.*TENSOR", r"RECV\.‸ndim", "it is `$1.dim()`"),
    (
        "E0615 .*`requires_grad`.*TENSOR",
        r"RECV\.‸requires_grad\s*=\s*(true|false|True|False)?",
        "it is `let _ = $1.set_requires_grad(false);` (or `true`); for a whole network `net.requires_grad_(false)`",
    ),
    (
        "E0599 .*`item`.*TENSOR",
        r"RECV\.‸item",
        "the number in a tensor is `f64::try_from(&$1)?` (or `i64`, `bool`)",
    ),
    (
        "E0599 .*`(numpy|tolist)`.*TENSOR",
        r"RECV\.‸\w+",
        "the numbers are `Vec::<f32>::try_from($1.flatten(0, -1))?`",
    ),
    ("E0599 .*`len`.*TENSOR", r"RECV\.‸len", "it is `$1.size()[0]`"),
    (
        "E0599 .*`(float|double|half|long|int)`.*TENSOR",
        r"RECV\.‸(\w+)",
        "it is `$1.to_kind(Kind::Float)` (or `Double`, `Half`, `Int64`, `Int`)",
    ),
    ("E0599 .*`cpu`.*TENSOR", r"RECV\.‸cpu", "it is `$1.to_device(Device::Cpu)`"),
    ("E0599 .*`cuda`.*TENSOR", r"RECV\.‸cuda", "it is `$1.to_device(try_gpu(0))`"),
    (
        "E0308 [^§]*expected `Device`, found `&",
        r"RECV\.‸to\(",
        "a device is `try_gpu(0)` or `Device::Cpu`: `$1.to_device(try_gpu(0))`",
    ),
    ("E0308 [^§]*expected `Device`, found `&", r"", "a device is `try_gpu(0)` or `Device::Cpu`"),
    (
        "E0599 .*`sum_dim`.*TENSOR",
        r"RECV\.‸sum_dim\(([^(),]+)\)",
        "it is `$1.sum_dim_intlist($2, false, Kind::Float)`",
    ),
    ("E0599 .*`sum_dim`.*TENSOR", "", "it is `.sum_dim_intlist(1, false, Kind::Float)`"),
    (
        "E0599 .*`(add|sub|mul|div)`.*TENSOR",
        r"RECV\.‸(\w+)",
        "it is an operator: `&$1 + 1`, `-`, `*`, `/`",
    ),
    // Tensors: what their methods take.
    ("E0061 .*0 arguments", r"RECV\.‸(sum|mean)\(\)", "it is `$1.$2(Kind::Float)`"),
    (
        "E0277 .*Option<(\\w+::)*Kind>: From<\\{integer",
        r"RECV\.‸?sum\(‸?(-?\d+)\)",
        "it is `$1.sum_dim_intlist($2, false, Kind::Float)`",
    ),
    (
        "E0277 .*Option<(\\w+::)*Kind>: From<\\{integer",
        r"RECV\.‸?mean\(‸?(-?\d+)\)",
        "it is `$1.mean_dim($2, false, Kind::Float)`",
    ),
    (
        "E0061 .*takes 2 arguments but 1 [^§]*`bool` is missing",
        r"RECV\.‸(argmax|argmin)\(([^(),]+)\)",
        "it is `$1.$2($3, false)`",
    ),
    (
        "E0061 .*takes 2 arguments but 1 ",
        r"RECV\.‸((?:log_)?softmax)\(([^(),]+)\)",
        "it is `$1.$2($3, Kind::Float)`",
    ),
    (
        "E0061 .*takes 0 arguments but [12] ",
        r"RECV\.‸(max|min)\(([^(),]+)[,)]",
        "it is `$1.$2_dim($3, false)`, which returns values and places",
    ),
    (
        "E0061 .*takes 0 arguments but 1 ",
        r"RECV\.‸squeeze\(([^(),]+)\)",
        "it is `$1.squeeze_dim($2)`",
    ),
    ("E0061 .*takes 0 arguments but 1 ", r"RECV\.‸size\(([^(),]+)\)", "it is `$1.size()[$2]`"),
    (
        "E0061 .*takes 1 argument but [2-9] ",
        r"RECV\.‸(reshape|view|permute|flip)\(([^()]+)\)",
        "sizes are one argument: `$1.$2([$3])`",
    ),
    (
        "E0061 [^§]*of type TENSOR is missing",
        r"RECV\.‸clone\(\)",
        "it is `$1.copy()`, or, with the same memory, `$1.shallow_clone()`",
    ),
    (
        "E0061 [^§]*Kind",
        r"Tensor::(zeros|ones|rand|randn)‸?\(([^()]+)\)",
        "it is `Tensor::$1($2, (Kind::Float, Device::Cpu))`",
    ),
    (
        "E0061 [^§]*Kind",
        r"‸Tensor::(zeros|ones|rand|randn)\(([^()]+)\)",
        "it is `Tensor::$1($2, (Kind::Float, Device::Cpu))`",
    ),
    (
        "E0(308|061) [^§]*Kind",
        r"Tensor::(zeros|ones|rand|randn)\((\d+(?:\s*,\s*‸?\d+)+)\)",
        "sizes are one argument, what they are of is another: `Tensor::$1([2, 3], (Kind::Float, Device::Cpu))`",
    ),
    ("E0277 .*`\\[\\[.*Element`", "", "it is `Tensor::from_slice2(&[[1, 2], [3, 4]])`"),
    ("E0277 .*`\\[.*Element`", "", "it is `Tensor::from_slice(&[1, 2])`"),
    (
        "E0423 .*`Tensor`|E0061 .*takes 0",
        r"‸Tensor(?:::new)?\(\[\[",
        "it is `Tensor::from_slice2(&[[1, 2], [3, 4]])`",
    ),
    (
        "E0423 .*`Tensor`|E0061 .*takes 0",
        r"‸Tensor(?:::new)?\(",
        "it is `Tensor::from_slice(&[1, 2])`",
    ),
    (
        "E0277 .*`Vec<.*From<TENSOR2",
        r"From|from\(&?([\w.]+)\)",
        "it can fail: `Vec::<f32>::try_from(&$1)?`, of a tensor with one dimension",
    ),
    (
        "E0277 .*`(f64|f32|i64|bool): From<TENSOR2",
        "",
        "it can fail: `f64::try_from(&t)?` (or `i64`, `bool`)",
    ),
    (
        "E0308 [^§]*expected `(f64|f32|i64)`, found `Tensor`",
        "",
        "the number in a tensor is `f64::try_from(&t)?` (or `i64`)",
    ),
    (
        "E0277 .*`Vec<.*From<TENSOR2",
        r"RECV\.‸into\(\)",
        "it can fail: `Vec::<i64>::try_from(&$1)?` (or `f32`), of a tensor with one dimension",
    ),
    // Tensors: operators.
    (
        "E0308 [^§]*because this is TENSOR",
        r"(==|!=)",
        "of tensors it is `.eq(0)`, `.ne(0)`, or `.eq_tensor(&u)`: a tensor of `true` and `false`",
    ),
    (
        "E0369 .*`>` .*TENSOR",
        "",
        "of tensors it is `.gt(5)`, or `.gt_tensor(&u)`: a tensor of `true` and `false`",
    ),
    (
        "E0369 .*`<` .*TENSOR",
        "",
        "of tensors it is `.lt(5)`, or `.lt_tensor(&u)`: a tensor of `true` and `false`",
    ),
    (
        "E0369 .*`>=` .*TENSOR",
        "",
        "of tensors it is `.ge(5)`, or `.ge_tensor(&u)`: a tensor of `true` and `false`",
    ),
    (
        "E0369 .*`<=` .*TENSOR",
        "",
        "of tensors it is `.le(5)`, or `.le_tensor(&u)`: a tensor of `true` and `false`",
    ),
    (
        "E0614 ",
        r"\*\s*‸?\*",
        "a power is `x.powi(2)`, of an integer `x.pow(2)`, of a tensor `t.pow_tensor_scalar(2)`",
    ),
    (
        "E0308 [^§]*expected `Device`, found `Kind`",
        r"RECV\.‸?to\(",
        "of a kind it is `$1.to_kind(Kind::Int64)`",
    ),
    (
        "E0277 .*TENSOR is not an iterator",
        r"in ‸&?([\w.]+)",
        "a row is `$1.get(i)`: `for i in 0..$1.size()[0] { let row = $1.get(i); ... }`",
    ),
    // Data and models.
    (
        "E0608 .*(ImageFolder|CIFAR10)`",
        r"RECV‸\[([^\[\]]+)\]",
        "it is `$1.get($2)?`, an image and its label",
    ),
    (
        "E0308 [^§]*expected `Result<.*, found `\\(_",
        r"let\s+‸?\([^=]*=\s*([^;]+);",
        "it can fail: `$1?`",
    ),
    (
        "E0277 .*DataLoader` is not an iterator",
        r"in ‸&?([\w.]+)",
        "it is `for batch in &$1 { let (x, y) = batch?; ... }`",
    ),
    (
        "E0308 [^§]*expected `Result<\\(.*Tensor.*found `\\(_, _\\)`",
        r"for\s+‸\((\w+),\s*(\w+)\)\s+in\s+(&?[\w.]+)",
        "a batch is a `Result`: `for batch in $3 { let ($1, $2) = batch?; ... }`",
    ),
    (
        "E0277 .*(ImageFolder|CIFAR10|dyn Dataset)` is not an iterator",
        r"in ‸&?([\w.]+)",
        "it is `for i in 0..$1.len() { let (image, label) = $1.get(i)?; ... }`, or make a `DataLoader`",
    ),
    (
        "E0618 .*found `&?d2l::(nn|models)::",
        r"‸([\w.]+)\(&?([^()]*)\)",
        "a model is called with `$1.forward(&$2)?`",
    ),
    // The first cell was not run.
    (
        "E043[23] .*`d2l`",
        "",
        "run the notebook's first cell before, in which is `:dep d2l = { path = \"..\" }`",
    ),
    (
        "E04(12|25|33) .*`(Tensor|Kind|Device|ImageFolder|DataLoader|train_ch13|linear)`",
        "",
        "it comes with `use d2l::prelude::*;`, in the notebook's first cell: run that before",
    ),
    // The generator of transforms.
    ("E04(12|25|33|32) .*`(Rng|rand_xoshiro)`", "", "it is `&mut d2l::data::Rng`"),
    // Crates that come with d2l.
    (
        "E043[23] .*`(plotters|rand|image|tch)`",
        r"‸?(?:use\s+)?‸?(plotters|rand|image|tch)::",
        "it comes with d2l: `d2l::$1::...`",
    ),
    (
        "E0425 .*in crate `d2l`",
        "",
        "what the notebooks use comes with `use d2l::prelude::*;` and needs no path",
    ),
    (
        "E04(25|33) cannot find [\\w ]+ `torch`",
        r"torch(?:\.|::)optim",
        "optimizers are `SGD::new(net.parameters(), 0.01)?`, `Adam::new(net.parameters(), 0.001)?` and `AdamW`",
    ),
    (
        "E04(25|33) cannot find [\\w ]+ `torch`",
        r"torch(?:\.|::)nn",
        "a layer is made with `?`: `Linear::new(3, 2)?`, `Conv2d::new(3, 16, 5)?`; several of them with `sequential![…]`",
    ),
    (
        "E04(25|33) cannot find [\\w ]+ `torch`",
        "",
        "what is in `torch` is in `Tensor`: `Tensor::ones([2, 3], (Kind::Float, Device::Cpu))`, `t.exp()`",
    ),
    (
        "E04(25|33) cannot find [\\w ]+ `np`",
        "",
        "arrays are `Vec`s, `vec![1., 2.]`, or tensors, `Tensor::from_slice(&[1., 2.])`",
    ),
    (
        "E04(25|33) cannot find [\\w ]+ `nn`",
        "",
        "a layer is made with `?`: `Linear::new(3, 2)?`, `Conv2d::new(3, 16, 5)?`; several of them with `sequential![…]`",
    ),
    (
        "E04(25|33) cannot find [\\w ]+ `math`",
        r"math(?:\.|::)(\w+)\(",
        "it is a method of the number: `x.$1()`, of a literal `2_f64.$1()`",
    ),
    (
        "E04(25|33) cannot find [\\w ]+ `random`",
        "",
        "random numbers come with d2l: `d2l::rand::random::<f64>()`",
    ),
    (
        "E0425 .*value `(\\w+)`",
        r"[(,]\s*‸(\w+)\s*=[^=]",
        "arguments have no names: leave out `$1 =`, and keep the order",
    ),
    // Moved.
    (
        "E0382 [^§]*value: `\\w+`",
        r"‸(\w+)",
        "`$1` was given away before: to keep it, lend it there, `&$1`, or give a clone away",
    ),
    // Python's functions.
    (
        "E0425 cannot find \\w+ `(iter|next)`",
        r"next\(‸?iter\(([\w.]+)\)",
        "it is `$1.iter().next()`, which gives an `Option`; of a loader `$1.iter().next().unwrap()?`",
    ),
    ("E0425 cannot find \\w+ `range`", r"‸range\(([^(),]+)\)", "it is `0..$1`"),
    ("E0425 cannot find \\w+ `range`", r"‸range\(([^(),]+),\s*([^(),]+)\)", "it is `$1..$2`"),
    (
        "E0425 cannot find \\w+ `len`",
        r"‸len\(([^()]+)\)",
        "it is `$1.len()`, of a tensor `$1.size()[0]`",
    ),
    (
        "E0425 cannot find \\w+ `enumerate`",
        r"‸enumerate\(([^()]+)\)",
        "it is `$1.iter().enumerate()`",
    ),
    (
        "E0425 cannot find \\w+ `zip`",
        r"‸zip\(([^(),]+),\s*([^(),]+)\)",
        "it is `$1.iter().zip(&$2)`",
    ),
    (
        "E0425 cannot find \\w+ `sum`",
        r"‸sum\(([^()]+)\)",
        "it is `$1.iter().sum::<f64>()`, with the type of the sum",
    ),
    (
        "E0425 cannot find \\w+ `(max|min)`",
        r"‸(max|min)\(([^(),]+),\s*([^(),]+)\)",
        "it is `$2.$1($3)`",
    ),
    ("E0425 cannot find \\w+ `(max|min)`", r"‸(max|min)\(([^(),]+)\)", "it is `$2.iter().$1()`"),
    ("E0425 cannot find \\w+ `(abs|round)`", r"‸(\w+)\(([^(),]+)\)", "it is a method: `x.$1()`"),
    (
        "E0425 cannot find \\w+ `(sqrt|exp|log|sin|cos|tanh)`",
        r"‸(\w+)\(",
        "it is a method: `x.$1()`, of a literal `2_f64.$1()`",
    ),
    (
        "E0599 .*`(sqrt|exp|ln|log10|sin|cos|tanh|floor|ceil|round)` found for type `[iu]\\w+`",
        r"RECV\.‸(\w+)",
        "it is a method of floats: `($1 as f64).$2()`",
    ),
    ("E0425 cannot find \\w+ `sorted`", r"‸sorted\(([^()]+)\)", "it is `$1.sort();`, in place"),
    ("E0425 cannot find \\w+ `reversed`", r"‸reversed\(([^()]+)\)", "it is `$1.iter().rev()`"),
    (
        "E0425 cannot find \\w+ `int`",
        r"‸int\(([^()]+)\)",
        "it is `$1 as i64`; of text `$1.parse::<i64>()?`",
    ),
    (
        "E0425 cannot find \\w+ `float`",
        r"‸float\(([^()]+)\)",
        "it is `$1 as f64`; of text `$1.parse::<f64>()?`",
    ),
    ("E0423 .*`str`", r"‸str\(([^()]+)\)", "it is `$1.to_string()`"),
    (
        "E0423 .*macro `print(ln)?`",
        r"‸print(?:ln)?\(([\w.]+)\)",
        "it is `println!(\"{}\", $1)`, or with `{:?}`",
    ),
    (
        "E0423 .*macro `print(ln)?`",
        r"‸print(?:ln)?\((.+,.+)\)\s*;?\s*$",
        "it is `println!(\"{} {}\", $1)`, with one `{}` for each value",
    ),
    ("E0425 cannot find \\w+ `(null|nil)`", "", "it is `None`"),
    ("E0425 .*value `pass`", "", "an empty block is `{}`"),
    ("E0425 .*type `list`", "", "it is a `Vec`, as in `Vec<f64>`"),
    ("E0425 .*type `dict`", "", "it is a map, as in `std::collections::HashMap<String, f64>`"),
    // Types.
    ("E028[23] ", r"\bNone\b", "say what `None` would hold: `None::<&Tensor>`, `None::<f64>`"),
    (
        "E0369 cannot multiply `\\[",
        r"(\[[^\[\],]+)‸?\]",
        "a list of the same value is `vec!$1; 3]`",
    ),
    ("E0369 cannot multiply `&str`", "", "it is `\"a\".repeat(3)`"),
    (
        "E0369 cannot (add|subtract|multiply|divide) .*Vec<",
        "",
        "a `Vec` has no arithmetic: `v.iter().map(|x| x * 2).collect::<Vec<_>>()`; a tensor has",
    ),
    (
        "E0277 cannot (add|subtract|multiply|divide) `\\{float\\}` (to|from|by) `\\{integer\\}`|E0277 cannot (add|subtract|multiply|divide) `\\{integer\\}` (to|from|by) `\\{float\\}`",
        "",
        "numbers are not converted by themselves: write `1.` for `1`, or `x as f64`",
    ),
    (
        "E0277 cannot (add|subtract|multiply|divide) `[iu]\\w+` (to|from|by) `(\\{float\\}|f64)`|E0277 cannot (add|subtract) `(\\{float\\}|f64)` (to|from) `[iu]\\w+`",
        "",
        "numbers are not converted by themselves: `x as f64`",
    ),
    ("E0277 .*`\\(.*\\)` cannot be indexed", "", "a tuple's parts are `p.0`, `p.1`"),
    ("E0277 .*`str` cannot be indexed", "", "a letter is `text.chars().nth(0)`"),
    (
        "E0277 .*cannot be indexed by `[iu]\\w+`",
        r"RECV?\[‸([\w.]+)\]",
        "an index is a `usize`: `$2 as usize`",
    ),
    ("E0277 .*cannot be indexed by `[iu]\\w+`", "", "an index is a `usize`: `i as usize`"),
    (
        "E0277 .*`([iu]\\w+|\\{integer\\})` is not an iterator",
        r"in ‸([^{]+?)\s*\{",
        "it is `0..$1`",
    ),
    ("E0277 .*doesn't implement `(std::fmt::)?Display`", "", "print it with `{:?}`"),
    (
        "E0308 [^§]*found `\\(_, _\\)`",
        r"for\s+‸\((\w+),\s*(\w+)\)\s+in\s+&?([\w.]+)",
        "with the index it is `for ($1, $2) in $3.iter().enumerate()`",
    ),
    ("E0308 [^§]*expected integer, found `(Vec|&)", r"\.\.‸&?([\w.]+)", "it is `0..$1.len()`"),
    (
        "E0308 [^§]*expected `bool`, found (`[iu]\\w+`|integer)",
        r"(?:if|while)\s+‸([a-zA-Z_][\w.]*)",
        "a condition is `true` or `false`: `$1 != 0`",
    ),
    (
        "E0308 [^§]*EvcxrUserCodeError",
        r"return",
        "a cell shows the value at its end, without `return`; `return;` ends the cell early",
    ),
];

struct Habit {
    error: Regex,
    line: Regex,
    hint: &'static str,
}

/// Those whose patterns are wrong are left out; a test looks for them.
fn habits(rows: &[Row]) -> Vec<Habit> {
    rows.iter().filter_map(|row| habit(row).ok()).collect()
}

fn habit(&(error, line, hint): &Row) -> Result<Habit, regex::Error> {
    const TYPE: &str = r"&?(?:mut )?(?:\w+::)*Tensor";
    let error = error.replace("TENSOR2", TYPE).replace("TENSOR", &format!("`{TYPE}`"));
    let line = line.replace("RECV", r"([\w.]+(?:\([^()]*\))?)");
    Ok(Habit { error: Regex::new(&error)?, line: Regex::new(&line)?, hint })
}

static IN_SYNTAX: LazyLock<Vec<Habit>> = LazyLock::new(|| habits(SYNTAX));
static IN_HABITS: LazyLock<Vec<Habit>> = LazyLock::new(|| habits(HABITS));

/// What helps with an error.
#[derive(Debug, PartialEq)]
pub struct Hint {
    pub text: String,
    /// Whether the compiler's other errors in the cell have the same cause.
    pub is_all: bool,
}

/// The hint for an error of the compiler's, by the content of evcxr's message and the cell's code.
pub fn hint(error: &Value, code: &str) -> Option<Hint> {
    let message = error["evalue"].as_str()?;
    let lines: Vec<String> = trace(error).map(plain).collect();
    let header = lines.first()?;
    let number = header.strip_prefix("[E").and_then(|rest| rest.get(..4)).unwrap_or_default();
    let (line, column) = place(&lines)?;
    let line = code.lines().nth(line.checked_sub(1)?)?;
    if number.is_empty() {
        let is_syntax = ["expected ", "unexpected ", "this `if`", "statements are "];
        if !is_syntax.iter().any(|start| message.starts_with(start)) {
            return None;
        }
        let line = without_text(line);
        let habit = |habit: &Habit| Some((habit.error.find(message)?, fill(habit, &line)?).1);
        return IN_SYNTAX.iter().find_map(habit).map(|text| Hint { text, is_all: true });
    }
    let error = format!("E{number} {message} {}", lines.join(" "));
    let place = line.char_indices().nth(column.checked_sub(1)?).map_or(line.len(), |(at, _)| at);
    let line = format!("{}\u{2038}{}", &line[..place], &line[place..]);
    let habit = |habit: &Habit| Some((habit.error.find(&error)?, fill(habit, &line)?).1);
    IN_HABITS.iter().find_map(habit).map(|text| Hint { text, is_all: false })
}

fn fill(habit: &Habit, line: &str) -> Option<String> {
    let parts: Captures = habit.line.captures(line)?;
    let mut text = habit.hint.to_string();
    for (number, part) in parts.iter().enumerate().skip(1) {
        let part = part.map_or("", |part| part.as_str()).trim().replace('\u{2038}', "");
        text = text.replace(&format!("${number}"), &part);
    }
    Some(text)
}

/// A line in which what stands within quotes, and in a comment, cannot be taken for code.
fn without_text(line: &str) -> String {
    static TEXT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#""(?:[^"\\]|\\.)*"|//.*"#).ok());
    let Some(pattern) = &*TEXT else { return line.into() };
    let short = |parts: &Captures| if parts[0].starts_with('"') { "\"\"" } else { "" };
    pattern.replace_all(line, short).into_owned()
}

fn trace(error: &Value) -> impl Iterator<Item = &str> {
    error["traceback"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A line without its colors.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut parts = line.split('\u{1b}');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        text.push_str(part.split_once('m').map_or(part, |(_, text)| text));
    }
    text
}

/// The line and the column of the cell, from the report's frame: `╭─[ cell [4]:2:5 ]`.
fn place(lines: &[String]) -> Option<(usize, usize)> {
    let frame = lines.iter().find(|line| line.contains("─["))?;
    let mut numbers = frame.trim_end().strip_suffix(']')?.trim_end().rsplit(':');
    let column = numbers.next()?.parse().ok()?;
    Some((numbers.next()?.parse().ok()?, column))
}

/// Puts a hint into the content of evcxr's message, in place of what the compiler suggests.
pub fn add(error: &mut Value, hint: &str) {
    const COLOR: &str = "\u{1b}[38;5;115m";
    const PLAIN: &str = "\u{1b}[0m";
    let lines: Vec<&str> = trace(error).collect();
    let starts = |line: &str, words: &[&str]| {
        let text = plain(line);
        let text = text.trim_start().strip_prefix('│').unwrap_or_default().trim_start();
        words.iter().any(|word| text.starts_with(word))
    };
    let is_empty = |line: &str| plain(line).trim() == "│";
    let Some(gutter) = lines.iter().rfind(|line| is_empty(line)).copied() else { return };
    let gutter = gutter.trim_end();
    let footer = lines.iter().position(|line| starts(line, &["Help", "Note"]));
    let footer = footer.unwrap_or(lines.len().saturating_sub(1));
    let code = lines[..footer].iter().rposition(|line| !is_empty(line)).map_or(0, |at| at + 1);
    let mut shown: Vec<String> = lines[..code].iter().map(|line| line.to_string()).collect();
    shown.push(gutter.to_string());
    shown.push(format!("{gutter} {COLOR}Help{PLAIN}: {hint}"));
    for line in &lines[footer..] {
        if starts(line, &["Note"]) {
            shown.push(gutter.to_string());
        }
        if !starts(line, &["Help"]) && !is_empty(line) {
            shown.push(line.to_string());
        }
    }
    error["traceback"] = json!(shown);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(header: &str, at: &str, body: &[&str]) -> Value {
        let evalue = header.split_once("Error: ").map_or(header, |(_, message)| message);
        let mut lines = vec![
            format!("\u{1b}[31m{header}\u{1b}[0m"),
            format!("   ╭─[ cell [4]:{at} ]"),
            "   │".into(),
        ];
        lines.extend(body.iter().map(|line| line.to_string()));
        lines.push("───╯".into());
        json!({"ename": "Error", "evalue": evalue, "traceback": lines})
    }

    #[test]
    fn every_row_can_be_used() {
        for row in SYNTAX.iter().chain(HABITS) {
            let habit = habit(row).unwrap();
            let groups = (1..10).filter(|number| habit.hint.contains(&format!("${number}")));
            assert!(groups.max().unwrap_or(0) < habit.line.captures_len(), "{row:?}");
        }
    }

    #[test]
    fn a_hint_takes_the_place_of_the_compilers_suggestions() {
        let header = "[E0599] Error: no method named `item` found for struct `d2l::prelude::Tensor` in the current scope";
        let body = [
            " 2 │ loss.item()",
            "   │   ─",
            "   │ ",
            "   │ Help 1: there is a method `iter`",
            "   │ ",
            "   │ Note: kept",
            "   │       it is",
        ];
        let mut error = error(header, "2:6", &body);
        let hint = hint(&error, "1;\nloss.item()").unwrap();
        assert_eq!(
            hint.text,
            "the number in a tensor is `f64::try_from(&loss)?` (or `i64`, `bool`)"
        );
        assert!(!hint.is_all);
        add(&mut error, &hint.text);
        let lines: Vec<String> = trace(&error).map(plain).collect();
        let help = format!("   │ Help: {}", hint.text);
        assert_eq!(
            lines[3..],
            [
                " 2 │ loss.item()",
                "   │   ─",
                "   │",
                &help,
                "   │",
                "   │ Note: kept",
                "   │       it is",
                "───╯"
            ]
        );
    }

    #[test]
    fn other_types_other_places_and_text_have_no_hint() {
        let method = "[E0599] Error: no method named `item` found for struct `Vec<i32>` in the current scope";
        assert_eq!(hint(&error(method, "1:6", &[]), "loss.item()"), None);
        let syntax = "Error: expected `;`";
        assert!(hint(&error(syntax, "1:1", &[]), "a and b").unwrap().is_all);
        assert_eq!(hint(&error(syntax, "1:1", &[]), "f(\"a and b\") // and so on"), None);
        assert_eq!(hint(&error("Error: unterminated string", "1:1", &[]), "a and b"), None);
        assert_eq!(hint(&error(syntax, "9:9", &[]), "a and b"), None);
        assert_eq!(hint(&json!({"evalue": "no", "traceback": ["no"]}), "a and b"), None);
        assert_eq!(hint(&json!({}), ""), None);
    }
}
