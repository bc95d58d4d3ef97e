//! Reads what `torch.save` writes about its tensors, and runs none of it.
//!
//! A pickle is a program for a small stack machine, which may call any function of Python by name.
//! This machine knows the few names that a file of tensors needs. What any other call would give is
//! kept as a name, which no tensor can be made of; so values beside the weights do no harm, and
//! need not be known. A call that runs commands ends the reading, as with
//! `torch.load(weights_only=True)`.

use std::collections::HashMap;
use std::rc::Rc;

use tch::Kind;

use super::other_kinds::Fault;
use super::state_dicts::{Plan, Storage};

/// Lists and dictionaries are places in the machine's tables: a pickle fills them after it has
/// used them, may put them into themselves, and none of that may cost memory or stack.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Int(i64),
    Text(Rc<str>),
    /// A class or a function: `module.name`.
    Name(Rc<str>),
    /// A list or a tuple.
    List(usize),
    Dict(usize),
    /// An instance of a TorchScript class.
    Object(usize),
    Storage(Rc<Storage>),
    Tensor(Rc<Plan>),
    /// A tensor that is not read here: what it is.
    Unreadable(Rc<str>),
    /// What a function or a class would give that is not called here: its name.
    Uncalled(Rc<str>),
    /// Something that no tensor is made of.
    Other,
}

/// An instance of a TorchScript class.
pub(super) struct Object {
    pub class: Rc<str>,
    /// Where its attributes are in the table of dictionaries; `None` for a state of another form, such
    /// as quantized layers have.
    pub attributes: Option<usize>,
}

type Result<T> = std::result::Result<T, Fault>;

/// More steps than the longest list of tensors needs, with much beside it.
const MOST_STEPS: usize = 8 << 20;

/// libtorch's own bound.
const MOST_DIMENSIONS: usize = 64;

/// Modules whose functions run commands.
const HARMFUL: [&str; 5] = ["os", "posix", "nt", "sys", "subprocess"];

/// What a pickle makes, and the tables in which its lists and dictionaries are.
pub(super) fn run(code: &[u8]) -> Result<(Value, Machine<'_>)> {
    let mut machine = Machine { code, ..Machine::default() };
    let root = machine.run()?;
    Ok((root, machine))
}

#[derive(Default)]
pub(super) struct Machine<'a> {
    code: &'a [u8],
    stack: Vec<Value>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    pub lists: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
    pub objects: Vec<Object>,
    /// Lists that were a tensor's size or stride.
    shapes: HashMap<usize, Rc<[i64]>>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Value> {
        for _ in 0..MOST_STEPS {
            let [operation] = self.bytes()?;
            match operation {
                0x80 => self.skip(1)?, // protocol
                0x95 => self.skip(8)?, // frame
                b'(' => self.marks.push(self.stack.len()),
                b'.' => return self.pop(),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.pop_mark()?),
                b'2' => {
                    let top = self.top()?.clone();
                    self.stack.push(top);
                }
                b'N' | 0x88 | 0x89 | 0x8f => self.stack.push(Value::Other),
                b'J' => self.int(|machine| Ok(i32::from_le_bytes(machine.bytes()?).into()))?,
                b'K' => self.int(|machine| Ok(machine.bytes::<1>()?[0].into()))?,
                b'M' => self.int(|machine| Ok(u16::from_le_bytes(machine.bytes()?).into()))?,
                b'I' | b'L' => {
                    let line = self.line()?;
                    let int = line.trim_end_matches('L').parse().map_or(Value::Other, Value::Int);
                    self.stack.push(int);
                }
                0x8a => self.long()?,
                b'G' => {
                    self.skip(8)?;
                    self.stack.push(Value::Other);
                }
                b'F' => {
                    self.line()?;
                    self.stack.push(Value::Other);
                }
                b'X' | b'T' => self.text(4)?,
                0x8c | b'U' => self.text(1)?,
                0x8d => self.text(8)?,
                b'V' | b'S' => {
                    let line = self.line()?;
                    self.stack.push(Value::Text(line.trim_matches(['\'', '"']).into()));
                }
                // Byte strings, and whole numbers of many bytes
                b'C' => self.skip_string(1)?,
                b'B' | 0x8b => self.skip_string(4)?,
                0x8e | 0x96 => self.skip_string(8)?,
                b']' | b')' => self.list(vec![]),
                b't' | b'l' => {
                    let items = self.pop_mark()?;
                    self.list(items);
                }
                0x85..=0x87 => {
                    let start = self.below(usize::from(operation - 0x84))?;
                    let items = self.stack.split_off(start);
                    self.list(items);
                }
                0x91 => {
                    self.pop_mark()?; // a frozen set
                    self.stack.push(Value::Other);
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' | 0x90 => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                b'}' => self.dict(),
                b'd' => {
                    let items = self.pop_mark()?;
                    self.dict();
                    self.set(items)?;
                }
                b's' => {
                    let start = self.below(2)?;
                    let items = self.stack.split_off(start);
                    self.set(items)?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set(items)?;
                }
                b'q' | b'r' | b'p' | 0x94 => {
                    let place = match operation {
                        b'q' => self.bytes::<1>()?[0].into(),
                        b'r' => u32::from_le_bytes(self.bytes()?),
                        b'p' => self.place()?,
                        _ => self.memo.len() as u32,
                    };
                    let top = self.top()?.clone();
                    self.memo.insert(place, top);
                }
                b'h' | b'j' | b'g' => {
                    let place = match operation {
                        b'h' => self.bytes::<1>()?[0].into(),
                        b'j' => u32::from_le_bytes(self.bytes()?),
                        _ => self.place()?,
                    };
                    let value = self.memo.get(&place).cloned();
                    self.stack.push(value.ok_or("a value that was never stored is asked for")?);
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.name(&module, &name)?;
                }
                0x93 => {
                    let (Value::Text(name), Value::Text(module)) = (self.pop()?, self.pop()?)
                    else {
                        return Err("a name that is no text".into());
                    };
                    self.name(&module, &name)?;
                }
                b'Q' => self.storage()?,
                b'P' => {
                    self.line()?;
                    self.stack.push(Value::Other);
                }
                0x82..=0x84 => {
                    self.skip(1 << (operation - 0x82))?;
                    self.stack.push(Value::Uncalled("an extension".into()));
                }
                b'R' | 0x81 => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    self.call(function, arguments)?;
                }
                0x92 => {
                    let (_, arguments, function) = (self.pop()?, self.pop()?, self.pop()?);
                    self.call(function, arguments)?;
                }
                b'i' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.name(&module, &name)?;
                    let function = self.pop()?;
                    let arguments = self.pop_mark()?;
                    self.list(arguments);
                    let arguments = self.pop()?;
                    self.call(function, arguments)?;
                }
                b'o' => {
                    let mut items = self.pop_mark()?.into_iter();
                    let function = items.next().ok_or("a call of no function")?;
                    self.list(items.collect());
                    let arguments = self.pop()?;
                    self.call(function, arguments)?;
                }
                b'b' => self.build()?,
                other => {
                    return Err(format!("an unknown operation, {other:#04x}, in its pickle").into());
                }
            }
        }
        Err(Fault::unsupported(
            format!(
                "its pickle takes more than {MOST_STEPS} steps: it holds much beside its tensors"
            ),
            "in Python, save the model's state_dict() alone",
        ))
    }

    fn name(&mut self, module: &str, name: &str) -> Result<()> {
        let evaluates = matches!(name, "eval" | "exec" | "compile" | "__import__")
            && matches!(module, "builtins" | "__builtin__");
        if evaluates || HARMFUL.contains(&module) {
            return Err(Fault::unsupported(
                format!("its pickle calls {module}.{name}, which no weights need; it was not run"),
                "do not open this file in Python; fetch weights from a place that you trust",
            ));
        }
        self.stack.push(Value::Name(format!("{module}.{name}").into()));
        Ok(())
    }

    /// What a call of Python's would give, for the few functions that tensors need.
    fn call(&mut self, function: Value, arguments: Value) -> Result<()> {
        let name = match function {
            Value::Name(name) => name,
            // A method of something that was not made, perhaps
            function @ (Value::Uncalled(_) | Value::Unreadable(_)) => {
                self.stack.push(function);
                return Ok(());
            }
            _ => return Err("a call of no function".into()),
        };
        let arguments = self.first(&arguments);
        let value = match (&*name, &arguments[..]) {
            ("collections.OrderedDict" | "builtins.dict" | "__builtin__.dict", [])
            | ("collections.defaultdict", [] | [_]) => Value::Dict(self.new_dict(vec![])),
            ("builtins.dict" | "__builtin__.dict", [dict @ Value::Dict(_)])
            | ("collections.defaultdict", [_, dict @ Value::Dict(_)]) => dict.clone(),
            ("collections.OrderedDict", [Value::List(pairs)]) => {
                let pairs = self.lists[*pairs].iter().filter_map(|pair| self.pair(pair)).collect();
                Value::Dict(self.new_dict(pairs))
            }
            ("torch.Size", [Value::List(place)]) => Value::List(*place),
            (
                "torch._tensor._rebuild_from_type_v2",
                [Value::Name(rebuild), Value::Name(class), inner, ..],
            ) => match &**class {
                "torch.Tensor" | "torch.nn.parameter.Parameter" | "torch.nn.parameter.Buffer" => {
                    let arguments = self.first(inner);
                    self.tensor(rebuild, &arguments)?.unwrap_or_else(|| unreadable(rebuild))
                }
                class => unreadable(&format!("a tensor of the class {class}")),
            },
            (name, []) if name.starts_with("__torch__.") => {
                let attributes = Some(self.new_dict(vec![]));
                self.objects.push(Object { class: name.into(), attributes });
                Value::Object(self.objects.len() - 1)
            }
            (function, arguments) => match self.tensor(function, arguments)? {
                Some(tensor) => tensor,
                None => Value::Uncalled(class_of(&name, arguments)),
            },
        };
        self.stack.push(value);
        Ok(())
    }

    /// The tensor that a function of torch's would make; `None` if the function makes none.
    fn tensor(&mut self, function: &str, arguments: &[Value]) -> Result<Option<Value>> {
        let Some(kind) = function.strip_prefix("torch._utils._rebuild_") else {
            return Ok(match (function, arguments) {
                ("torch.nn.parameter.Parameter", [tensor, ..]) => Some(as_tensor(tensor)),
                _ => None,
            });
        };
        Ok(Some(match (kind, arguments) {
            (
                "parameter" | "parameter_with_state" | "device_tensor_from_cpu_tensor",
                [tensor, ..],
            ) => as_tensor(tensor),
            (
                "tensor" | "tensor_v2",
                [Value::Storage(storage), Value::Int(offset), size, stride, rest @ ..],
            ) => {
                let negated = match rest.get(2) {
                    Some(Value::Dict(place)) => !self.dicts[*place].is_empty(),
                    _ => false,
                };
                if negated {
                    unreadable("a tensor whose numbers are to be negated or conjugated")
                } else if storage.kind.is_none() {
                    unreadable(&format!("a tensor of {}", storage.class))
                } else {
                    Value::Tensor(Rc::new(Plan {
                        storage: storage.clone(),
                        offset: *offset,
                        size: self.shape(size)?,
                        stride: self.shape(stride)?,
                    }))
                }
            }
            ("tensor_v3", [_, _, _, _, _, _, Value::Name(kind), ..]) => {
                unreadable(&format!("a tensor of {kind}"))
            }
            ("qtensor", _) => unreadable("a quantized tensor"),
            ("sparse_tensor" | "sparse_csr_tensor", _) => unreadable("a sparse tensor"),
            ("nested_tensor", _) => unreadable("a nested tensor"),
            ("meta_tensor_no_storage", _) => {
                unreadable("a tensor without numbers, of the device \"meta\"")
            }
            (kind, _) => unreadable(&format!("a tensor made by torch._utils._rebuild_{kind}")),
        }))
    }

    /// The first values of a list; no function that is known here looks at more.
    fn first(&self, arguments: &Value) -> Vec<Value> {
        match arguments {
            Value::List(place) => self.lists[*place].iter().take(8).cloned().collect(),
            _ => vec![Value::Other; 8],
        }
    }

    fn pair(&self, value: &Value) -> Option<(Value, Value)> {
        let Value::List(place) = value else { return None };
        match &self.lists[*place][..] {
            [key, value] => Some((key.clone(), value.clone())),
            _ => None,
        }
    }

    /// A storage, named by a tuple: "storage", its class, its key, its device, its length.
    fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        let id = self.first(&id);
        let [Value::Text(_), Value::Name(class), Value::Text(key), _, Value::Int(count), ..] =
            &id[..]
        else {
            self.stack.push(Value::Other);
            return Ok(());
        };
        let kind = match &**class {
            "torch.FloatStorage" => Some(Kind::Float),
            "torch.DoubleStorage" => Some(Kind::Double),
            "torch.HalfStorage" => Some(Kind::Half),
            "torch.BFloat16Storage" => Some(Kind::BFloat16),
            "torch.LongStorage" => Some(Kind::Int64),
            "torch.IntStorage" => Some(Kind::Int),
            "torch.ShortStorage" => Some(Kind::Int16),
            "torch.CharStorage" => Some(Kind::Int8),
            "torch.ByteStorage" => Some(Kind::Uint8),
            "torch.BoolStorage" => Some(Kind::Bool),
            _ => None,
        };
        let count = usize::try_from(*count).map_err(|_| "a negative length")?;
        let (key, class) = (key.clone(), class.clone());
        self.stack.push(Value::Storage(Rc::new(Storage { key, class, kind, count })));
        Ok(())
    }

    /// Gives an object its attributes. A state dict's own attributes are not needed.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        match (self.top()?.clone(), state) {
            (Value::Object(object), Value::Dict(state)) => {
                self.objects[object].attributes = Some(state);
            }
            (Value::Object(object), _) => self.objects[object].attributes = None,
            (Value::Tensor(_), _) => {
                self.pop()?;
                self.stack.push(unreadable("a tensor as torch wrote before version 0.4"));
            }
            _ => {}
        }
        Ok(())
    }

    fn list(&mut self, items: Vec<Value>) {
        self.lists.push(items);
        self.stack.push(Value::List(self.lists.len() - 1));
    }

    fn new_dict(&mut self, entries: Vec<(Value, Value)>) -> usize {
        self.dicts.push(entries);
        self.dicts.len() - 1
    }

    fn dict(&mut self) {
        let place = self.new_dict(vec![]);
        self.stack.push(Value::Dict(place));
    }

    fn append(&mut self, items: Vec<Value>) -> Result<()> {
        match *self.top()? {
            Value::List(place) => self.lists[place].extend(items),
            // A set, or a list of a class that is not made here
            Value::Other | Value::Uncalled(_) => {}
            _ => return Err("items for no list".into()),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Value>) -> Result<()> {
        let place = match *self.top()? {
            Value::Dict(place) => place,
            // A dictionary of a class that is not made here
            Value::Other | Value::Uncalled(_) => return Ok(()),
            _ => return Err("items for no dict".into()),
        };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            self.dicts[place].push((key, value));
        }
        Ok(())
    }

    /// A tensor's size or stride. Tensors share those that come from one list.
    fn shape(&mut self, value: &Value) -> Result<Rc<[i64]>> {
        let Value::List(place) = value else { return Err("a shape that is no tuple".into()) };
        if let Some(shape) = self.shapes.get(place) {
            return Ok(shape.clone());
        }
        let items = &self.lists[*place];
        if items.len() > MOST_DIMENSIONS {
            return Err(format!("a tensor of {} dimensions", items.len()).into());
        }
        let ints = items.iter().map(|item| match item {
            Value::Int(int) => Ok(*int),
            _ => Err(Fault::from("a shape that is not of whole numbers")),
        });
        let shape: Rc<[i64]> = ints.collect::<Result<Vec<_>>>()?.into();
        self.shapes.insert(*place, shape.clone());
        Ok(shape)
    }

    fn int(&mut self, read: impl FnOnce(&mut Self) -> Result<i64>) -> Result<()> {
        let int = read(self)?;
        self.stack.push(Value::Int(int));
        Ok(())
    }

    /// A whole number of any length; longer than eight bytes it is none of a tensor's.
    fn long(&mut self) -> Result<()> {
        let [length] = self.bytes()?;
        let digits = self.take(length.into())?;
        let negative = digits.last().is_some_and(|last| last & 0x80 != 0);
        let value = (digits.len() <= 8).then(|| {
            let mut padded = [if negative { 0xff } else { 0 }; 8];
            padded[..digits.len()].copy_from_slice(digits);
            Value::Int(i64::from_le_bytes(padded))
        });
        self.stack.push(value.unwrap_or(Value::Other));
        Ok(())
    }

    /// Text may hold what is no UTF-8 (`surrogatepass`); no name of a tensor does.
    fn text(&mut self, width: usize) -> Result<()> {
        let length = self.length(width)?;
        let text = Value::Text(String::from_utf8_lossy(self.take(length)?).into());
        self.stack.push(text);
        Ok(())
    }

    fn skip_string(&mut self, width: usize) -> Result<()> {
        let length = self.length(width)?;
        self.skip(length)?;
        self.stack.push(Value::Other);
        Ok(())
    }

    fn length(&mut self, width: usize) -> Result<usize> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        Ok(usize::try_from(u64::from_le_bytes(bytes)).map_err(|error| error.to_string())?)
    }

    fn line(&mut self) -> Result<String> {
        let end = self.code.iter().position(|&byte| byte == b'\n').ok_or(CUT_OFF)?;
        let line = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.skip(1)?;
        Ok(line)
    }

    fn place(&mut self) -> Result<u32> {
        Ok(self.line()?.parse().map_err(|_| "a place that is no number")?)
    }

    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let (taken, rest) = self.code.split_at_checked(count).ok_or(CUT_OFF)?;
        self.code = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.code.split_first_chunk().ok_or(CUT_OFF)?;
        self.code = rest;
        Ok(*taken)
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.take(count).map(drop)
    }

    fn top(&self) -> Result<&Value> {
        Ok(self.stack.last().ok_or(EMPTY)?)
    }

    fn pop(&mut self) -> Result<Value> {
        Ok(self.stack.pop().ok_or(EMPTY)?)
    }

    /// The place of the `count`th value from the top.
    fn below(&self, count: usize) -> Result<usize> {
        Ok(self.stack.len().checked_sub(count).ok_or(EMPTY)?)
    }

    /// All values above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Value>> {
        let height = self.marks.pop().ok_or(EMPTY)?;
        // Values below the mark may have been taken in between.
        Ok(self.stack.split_off(height.min(self.stack.len())))
    }
}

/// The class of an object that is made by a function for all classes.
fn class_of(function: &Rc<str>, arguments: &[Value]) -> Rc<str> {
    match (&**function, arguments) {
        (
            "copy_reg._reconstructor" | "copyreg._reconstructor" | "copyreg.__newobj__",
            [Value::Name(class), ..],
        ) => class.clone(),
        _ => function.clone(),
    }
}

fn unreadable(what: &str) -> Value {
    Value::Unreadable(what.into())
}

/// A parameter is its tensor.
fn as_tensor(value: &Value) -> Value {
    match value {
        Value::Tensor(_) | Value::Unreadable(_) => value.clone(),
        Value::Uncalled(name) => {
            unreadable(&format!("a tensor that {name} makes, which is not run"))
        }
        _ => unreadable("a parameter without a tensor"),
    }
}

const CUT_OFF: &str = "a pickle that is cut off";
const EMPTY: &str = "a pickle that takes more values than it has";
