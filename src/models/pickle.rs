//! Reads what `torch.save` writes about its tensors, and runs none of it.
//!
//! A pickle is a program for a small stack machine, which may call any function of Python by name.
//! This machine knows the few names that a file of tensors needs; it refuses a call of any other,
//! as `torch.load(weights_only=True)` does.

use std::collections::HashMap;
use std::rc::Rc;

use tch::Kind;

/// Where a tensor's numbers lie.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub storage: Rc<Storage>,
    pub offset: i64,
    pub size: Vec<i64>,
    pub stride: Vec<i64>,
}

/// A run of numbers, which tensors may share.
#[derive(Debug)]
pub(super) struct Storage {
    pub key: Rc<str>,
    pub kind: Kind,
    pub count: usize,
}

/// Lists and dictionaries are places in the machine's tables: a pickle fills them after it has
/// used them, may put them into themselves, and none of that may cost memory or stack.
#[derive(Debug, Clone)]
enum Value {
    Int(i64),
    Text(Rc<str>),
    /// A class or a function: `module.name`.
    Name(Rc<str>),
    /// A list or a tuple.
    List(usize),
    Dict(usize),
    /// An instance of a TorchScript class, with its attributes.
    Object(usize),
    Storage(Rc<Storage>),
    Tensor(Rc<Plan>),
    /// Something that no tensor is made of.
    Other,
}

type Result<T> = std::result::Result<T, String>;

/// The state dict in a pickle: the dictionary with the most tensors, so that one inside of a
/// checkpoint is found, too. tch's own files, TorchScript modules, have `|` for the dots.
pub(super) fn state_dict(code: &[u8]) -> Result<Vec<(String, Plan)>> {
    let mut machine = Machine { code, ..Machine::default() };
    let root = machine.run()?;
    let mut best: Vec<(String, Plan)> = vec![];
    let mut seen = vec![false; machine.dicts.len()];
    let mut waiting = vec![root];
    while let Some(value) = waiting.pop() {
        let (Value::Dict(place) | Value::Object(place)) = value else { continue };
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        let entries = &machine.dicts[place];
        let is_object = matches!(value, Value::Object(_));
        let tensors = entries.iter().filter_map(|entry| match entry {
            (Value::Text(name), Value::Tensor(plan)) if is_object => {
                Some((name.replace('|', "."), (**plan).clone()))
            }
            (Value::Text(name), Value::Tensor(plan)) => Some((name.to_string(), (**plan).clone())),
            _ => None,
        });
        let tensors: Vec<_> = tensors.collect();
        if tensors.len() > best.len() {
            best = tensors;
        }
        waiting.extend(entries.iter().map(|(_, value)| value.clone()));
    }
    if best.is_empty() {
        return Err("no tensors with names".into());
    }
    Ok(best)
}

#[derive(Default)]
struct Machine<'a> {
    code: &'a [u8],
    stack: Vec<Value>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    lists: Vec<Vec<Value>>,
    dicts: Vec<Vec<(Value, Value)>>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Value> {
        loop {
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
                b'N' | 0x88 | 0x89 => self.stack.push(Value::Other),
                b'J' => self.int(|machine| Ok(i32::from_le_bytes(machine.bytes()?).into()))?,
                b'K' => self.int(|machine| Ok(machine.bytes::<1>()?[0].into()))?,
                b'M' => self.int(|machine| Ok(u16::from_le_bytes(machine.bytes()?).into()))?,
                0x8a => self.long()?,
                b'G' => {
                    self.skip(8)?;
                    self.stack.push(Value::Other);
                }
                b'X' => self.text(4)?,
                0x8c => self.text(1)?,
                0x8d => self.text(8)?,
                // Byte strings
                b'C' | b'U' => self.skip_string(1)?,
                b'B' | b'T' => self.skip_string(4)?,
                0x8e => self.skip_string(8)?,
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
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                b'}' => self.dict(),
                b's' => {
                    let start = self.below(2)?;
                    let items = self.stack.split_off(start);
                    self.set(items)?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set(items)?;
                }
                b'q' | b'r' | 0x94 => {
                    let place = match operation {
                        b'q' => self.bytes::<1>()?[0].into(),
                        b'r' => u32::from_le_bytes(self.bytes()?),
                        _ => self.memo.len() as u32,
                    };
                    let top = self.top()?.clone();
                    self.memo.insert(place, top);
                }
                b'h' | b'j' => {
                    let place = match operation {
                        b'h' => self.bytes::<1>()?[0].into(),
                        _ => u32::from_le_bytes(self.bytes()?),
                    };
                    let value = self.memo.get(&place).cloned();
                    self.stack.push(value.ok_or("a value that was never stored is asked for")?);
                }
                b'c' => {
                    let name = format!("{}.{}", self.line()?, self.line()?);
                    self.stack.push(Value::Name(name.into()));
                }
                0x93 => match (self.pop()?, self.pop()?) {
                    (Value::Text(name), Value::Text(module)) => {
                        self.stack.push(Value::Name(format!("{module}.{name}").into()));
                    }
                    _ => return Err("a name that is no text".into()),
                },
                b'Q' => self.storage()?,
                b'R' | 0x81 => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    self.call(&function, &arguments)?;
                }
                b'b' => self.build()?,
                other => return Err(format!("an unknown operation, {other:#04x}, in its pickle")),
            }
        }
    }

    /// What a call of Python's would give, for the few functions that tensors need.
    fn call(&mut self, function: &Value, arguments: &Value) -> Result<()> {
        let Value::Name(name) = function else { return Err("a call of no function".into()) };
        let arguments = match arguments {
            Value::List(place) => self.lists[*place].clone(),
            _ => return Err(format!("a call of {name} without arguments")),
        };
        let value = match (&**name, &arguments[..]) {
            ("collections.OrderedDict", []) => {
                self.dict();
                return Ok(());
            }
            ("torch.Size", [Value::List(place)]) => Value::List(*place),
            ("torch._utils._rebuild_parameter", [tensor @ Value::Tensor(_), ..]) => tensor.clone(),
            (
                "torch._utils._rebuild_tensor_v2",
                [Value::Storage(storage), Value::Int(offset), size, stride, ..],
            ) => Value::Tensor(Rc::new(Plan {
                storage: storage.clone(),
                offset: *offset,
                size: self.ints(size)?,
                stride: self.ints(stride)?,
            })),
            ("torch.device", _) => Value::Other,
            (name, []) if name.starts_with("__torch__.") => {
                self.dicts.push(vec![]);
                Value::Object(self.dicts.len() - 1)
            }
            (name, _) => {
                return Err(format!(
                    "its pickle calls {name}, which is not needed for weights; it was not run"
                ));
            }
        };
        self.stack.push(value);
        Ok(())
    }

    /// A storage, named by a tuple: "storage", its class, its key, its device, its length.
    fn storage(&mut self) -> Result<()> {
        let unknown = || "numbers of an unknown kind".to_string();
        let Value::List(place) = self.pop()? else { return Err(unknown()) };
        let [Value::Text(_), Value::Name(class), Value::Text(key), _, Value::Int(count), ..] =
            &self.lists[place][..]
        else {
            return Err(unknown());
        };
        let kind = match &**class {
            "torch.FloatStorage" => Kind::Float,
            "torch.DoubleStorage" => Kind::Double,
            "torch.HalfStorage" => Kind::Half,
            "torch.BFloat16Storage" => Kind::BFloat16,
            "torch.LongStorage" => Kind::Int64,
            "torch.IntStorage" => Kind::Int,
            "torch.ShortStorage" => Kind::Int16,
            "torch.CharStorage" => Kind::Int8,
            "torch.ByteStorage" => Kind::Uint8,
            "torch.BoolStorage" => Kind::Bool,
            other => return Err(format!("numbers of a kind that is not read here, {other}")),
        };
        let count = usize::try_from(*count).map_err(|_| "a negative length".to_string())?;
        let storage = Storage { key: key.clone(), kind, count };
        self.stack.push(Value::Storage(Rc::new(storage)));
        Ok(())
    }

    /// Gives an object its attributes. A state dict's own attributes are not needed.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        if let (Value::Object(place), Value::Dict(state)) = (self.top()?.clone(), state) {
            self.dicts[place] = self.dicts[state].clone();
        }
        Ok(())
    }

    fn list(&mut self, items: Vec<Value>) {
        self.lists.push(items);
        self.stack.push(Value::List(self.lists.len() - 1));
    }

    fn dict(&mut self) {
        self.dicts.push(vec![]);
        self.stack.push(Value::Dict(self.dicts.len() - 1));
    }

    fn append(&mut self, items: Vec<Value>) -> Result<()> {
        let Value::List(place) = *self.top()? else { return Err("items for no list".into()) };
        self.lists[place].extend(items);
        Ok(())
    }

    fn set(&mut self, items: Vec<Value>) -> Result<()> {
        let Value::Dict(place) = *self.top()? else { return Err("items for no dict".into()) };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            self.dicts[place].push((key, value));
        }
        Ok(())
    }

    fn ints(&self, value: &Value) -> Result<Vec<i64>> {
        let Value::List(place) = value else { return Err("a shape that is no tuple".into()) };
        let ints = self.lists[*place].iter().map(|item| match item {
            Value::Int(int) => Ok(*int),
            _ => Err("a shape that is not of whole numbers".to_string()),
        });
        ints.collect()
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

    fn text(&mut self, width: usize) -> Result<()> {
        let length = self.length(width)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|error| error.to_string())?;
        let text = Value::Text(text.into());
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
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|error| error.to_string())
    }

    fn line(&mut self) -> Result<String> {
        let end = self.code.iter().position(|&byte| byte == b'\n').ok_or_else(cut_off)?;
        let line = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.skip(1)?;
        Ok(line)
    }

    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let (taken, rest) = self.code.split_at_checked(count).ok_or_else(cut_off)?;
        self.code = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.code.split_first_chunk().ok_or_else(cut_off)?;
        self.code = rest;
        Ok(*taken)
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.take(count).map(drop)
    }

    fn top(&self) -> Result<&Value> {
        self.stack.last().ok_or_else(empty)
    }

    fn pop(&mut self) -> Result<Value> {
        self.stack.pop().ok_or_else(empty)
    }

    /// The place of the `count`th value from the top.
    fn below(&self, count: usize) -> Result<usize> {
        self.stack.len().checked_sub(count).ok_or_else(empty)
    }

    /// All values above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Value>> {
        let height = self.marks.pop().ok_or_else(empty)?;
        // Values below the mark may have been taken in between.
        Ok(self.stack.split_off(height.min(self.stack.len())))
    }
}

fn cut_off() -> String {
    "a pickle that is cut off".into()
}

fn empty() -> String {
    "a pickle that takes more values than it has".into()
}
