//! The table of boxes beside a set's images, `label.csv` (d2l: section 14.6, `read_data_bananas`).

use std::collections::HashMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use image::ImageReader;

use crate::{Error, Result};

const HEADER: &str = "img_name,label,xmin,ymin,xmax,ymax";

/// So many pixels may a box reach out of its image; it is cut there.
const SLACK: f32 = 1.;

/// An image and its boxes: class, then left, top, right and bottom in parts of the image.
pub(super) struct Labelled {
    pub path: PathBuf,
    size: (u32, u32),
    pub boxes: Vec<[f32; 5]>,
}

/// The images of a folder, in the order in which its table names them first.
pub(super) fn read_labels(folder: &Path, classes: &[String]) -> Result<Vec<Labelled>> {
    let table = folder.join("label.csv");
    let text = std::fs::read_to_string(&table).map_err(Error::io("read the labels", &table))?;
    let mut lines = text.lines().map(str::trim).zip(1..);
    let refused = |line: usize, found: String, expected: &str, todo: &str| {
        Error::invalid(format!("{}, line {line}", table.display()), found, expected, todo)
    };
    let header = lines.next().map_or("", |(line, _)| line).trim_start_matches('\u{feff}');
    if header != HEADER {
        let todo = "put this line first";
        return Err(refused(1, format!("the header {header:?}"), HEADER, todo));
    }
    let mut images: Vec<Labelled> = vec![];
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (text, line) in lines.filter(|(line, _)| !line.is_empty()) {
        let row = Row::parse(text).ok_or_else(|| {
            let todo = "write a row for each box, or one of label -1 for an image without any";
            refused(line, format!("{text:?}"), "a file's name and five numbers", todo)
        })?;
        let place = match places.get(row.name) {
            Some(place) => *place,
            None => {
                let path = folder.join("images").join(row.name);
                let size = size(&path).map_err(|found| {
                    let expected = format!("an image at {}", path.display());
                    let todo = "add the image, or remove the row";
                    refused(line, found, &expected, todo)
                })?;
                places.insert(row.name, images.len());
                images.push(Labelled { path, size, boxes: vec![] });
                images.len() - 1
            }
        };
        // A row that says that there is no box
        if row.class < 0. {
            continue;
        }
        if row.class.fract() != 0. || row.class >= classes.len() as f32 {
            let last = classes.len().saturating_sub(1);
            let expected = format!("0 to {last}, or -1 for an image without boxes");
            let todo = "name all classes in classes.txt beside the folder, a line each";
            return Err(refused(line, format!("the class {}", row.class), &expected, todo));
        }
        let (width, height) = images[place].size;
        let (width, height) = (width as f32, height as f32);
        let [left, top, right, bottom] = row.corners;
        let found = || format!("the box {left},{top},{right},{bottom}");
        if !(left < right && top < bottom) {
            let todo = "write the upper left corner first, and leave out boxes without area";
            return Err(refused(line, found(), "xmin < xmax and ymin < ymax", todo));
        }
        if left < -SLACK || top < -SLACK || right > width + SLACK || bottom > height + SLACK {
            let expected = format!("a box in its image, {width}×{height} pixels");
            let todo = "cut the box at the image's edges";
            return Err(refused(line, found(), &expected, todo));
        }
        let [left, right] = [left, right].map(|x| (x / width).clamp(0., 1.));
        let [top, bottom] = [top, bottom].map(|y| (y / height).clamp(0., 1.));
        if left < right && top < bottom {
            images[place].boxes.push([row.class, left, top, right, bottom]);
        }
    }
    if images.is_empty() {
        let todo = "add a row for each box";
        return Err(Error::file(&table, "no row", "a row for each box", todo));
    }
    Ok(images)
}

struct Row<'a> {
    name: &'a str,
    class: f32,
    corners: [f32; 4],
}

impl<'a> Row<'a> {
    fn parse(text: &'a str) -> Option<Row<'a>> {
        let mut fields = text.split(',').map(str::trim);
        let name = fields.next()?;
        let numbers: Vec<f32> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
        let &[class, x1, y1, x2, y2] = &numbers[..] else { return None };
        // Of the folder itself, and nothing else
        let is_name = Path::new(name).file_name().is_some_and(|file| file == name);
        let is_finite = numbers.iter().all(|number| number.is_finite());
        (is_name && is_finite).then_some(Row { name, class, corners: [x1, y1, x2, y2] })
    }
}

/// Width and height, without decoding the image; or what is wrong with it.
fn size(path: &Path) -> Result<(u32, u32), String> {
    let said = |error: &dyn Display| error.to_string();
    let reader = ImageReader::open(path).map_err(|error| said(&error))?;
    let reader = reader.with_guessed_format().map_err(|error| said(&error))?;
    let (width, height) = reader.into_dimensions().map_err(|error| said(&error))?;
    if width == 0 || height == 0 {
        return Err(format!("an image of {width}×{height} pixels"));
    }
    Ok((width, height))
}
