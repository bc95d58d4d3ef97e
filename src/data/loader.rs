//! Batches, made by threads while the net computes (d2l: section 4.2, `DataLoader`).

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use rand::seq::SliceRandom;
use tch::{Device, Tensor};

use super::rng::{generator, global_seed};
use super::{Dataset, FloatImage, Image, memory};
use crate::device::num_gpus;
use crate::interrupt::check_interrupt;
use crate::quick;
use crate::{Error, Result};

/// Makes batches of a data set (PyTorch: `DataLoader`); the last one may be smaller.
///
/// Threads make the pictures of the next two batches while a net learns, of four where threads are
/// many. What a batch holds depends on the seed, the epoch and the pictures alone, not on the number
/// of threads.
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
pub struct DataLoader {
    dataset: Arc<dyn Dataset>,
    batch_size: usize,
    shuffle: bool,
    num_workers: usize,
    seed: u64,
    epoch: AtomicU64,
}

impl DataLoader {
    /// Batches of `batch_size`, in order, by as many threads as there are cores, sixteen at most.
    ///
    /// # Errors
    /// `batch_size` is 0.
    pub fn new(dataset: impl Dataset + 'static, batch_size: usize) -> Result<DataLoader> {
        if batch_size == 0 {
            let todo = "give a batch size of 1 or more";
            return Err(Error::invalid("DataLoader", "batch size 0", "1 or more", todo));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(DataLoader {
            dataset: Arc::new(dataset),
            batch_size,
            shuffle: false,
            num_workers: cores.min(16),
            seed: global_seed(),
            epoch: AtomicU64::new(0),
        })
    }

    /// Whether each epoch has an order of its own.
    pub fn shuffle(self, shuffle: bool) -> DataLoader {
        DataLoader { shuffle, ..self }
    }

    /// The number of threads, 1 at least.
    pub fn num_workers(self, num_workers: usize) -> DataLoader {
        DataLoader { num_workers: num_workers.max(1), ..self }
    }

    /// Sets the epoch that [`iter`](Self::iter) starts next, from 0: a training that goes on after
    /// `n` epochs sees the pictures that an unbroken one would (PyTorch: `set_epoch` of samplers).
    pub fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The pictures that the batches come from.
    pub fn dataset(&self) -> &dyn Dataset {
        &*self.dataset
    }

    /// The number of pictures in an epoch: all, unless `D2L_DATASET_LIMIT` bounds them.
    pub fn num_examples(&self) -> usize {
        quick::dataset_limit().map_or(self.dataset.len(), |limit| limit.min(self.dataset.len()))
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.num_examples().div_ceil(self.batch_size)
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts the next epoch: pictures `[N, 3, H, W]` (`f32`) and labels `[N]` (`i64`).
    pub fn iter(&self) -> Batches {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let mut order = self.indices();
        if self.shuffle {
            order.shuffle(&mut generator(self.seed, epoch, u64::MAX));
        }
        Batches::start(self, epoch, order)
    }

    /// The places in the data set of an epoch's pictures, before they are shuffled: all, unless
    /// `D2L_DATASET_LIMIT` bounds them, which takes them at even steps, so that all classes stay.
    pub fn indices(&self) -> Vec<usize> {
        let (all, count) = (self.dataset.len(), self.num_examples());
        (0..count).map(|i| i * all / count).collect()
    }
}

impl fmt::Debug for DataLoader {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (dataset, size, count) = (&self.dataset, self.batch_size, self.len());
        write!(f, "DataLoader({dataset:?}, batch_size={size}, {count} batches")?;
        write!(f, ", shuffle={}, num_workers={})", self.shuffle, self.num_workers)
    }
}

type Sample = Result<(Image, i64)>;
type Batch = Result<(Tensor, Tensor)>;

/// A batch whose pictures are being made, by as many threads as there are.
struct Parts {
    place: usize,
    indices: Vec<usize>,
    samples: Mutex<Vec<Option<Sample>>>,
}

impl Parts {
    /// Keeps a picture; whoever brings the last one gets all.
    fn put(&self, slot: usize, sample: Sample) -> Option<Vec<Sample>> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples[slot] = Some(sample);
        let is_whole = samples.iter().all(Option::is_some);
        is_whole.then(|| std::mem::take(&mut *samples).into_iter().flatten().collect())
    }
}

/// The picture for one slot of a batch.
type Job = (Arc<Parts>, usize);

/// The batches of one epoch, in order. After an error there are no more; the stop button is one.
pub struct Batches {
    jobs: Option<mpsc::Sender<Job>>,
    waiting: std::vec::IntoIter<Arc<Parts>>,
    results: mpsc::Receiver<(usize, Batch)>,
    /// Batches that came before their turn.
    early: BTreeMap<usize, Batch>,
    next: usize,
    count: usize,
}

impl Batches {
    fn start(loader: &DataLoader, epoch: u64, order: Vec<usize>) -> Batches {
        let chunks = order.chunks(loader.batch_size).map(<[usize]>::to_vec);
        let batches: Vec<_> = (0..)
            .zip(chunks)
            .map(|(place, indices)| {
                let samples = Mutex::new(indices.iter().map(|_| None).collect());
                Arc::new(Parts { place, indices, samples })
            })
            .collect();
        let count = batches.len();
        let (job_sender, job_receiver) = mpsc::channel::<Job>();
        let (result_sender, results) = mpsc::channel();
        let job_receiver = Arc::new(Mutex::new(job_receiver));
        for _ in 0..loader.num_workers.min(order.len()) {
            let (jobs, results) = (job_receiver.clone(), result_sender.clone());
            let (dataset, seed) = (loader.dataset.clone(), loader.seed);
            thread::spawn(move || {
                loop {
                    // The lock is held while waiting: the next idle thread gets the next job.
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((parts, slot)) = job else { break };
                    let sample = make_sample(&*dataset, seed, epoch, parts.indices[slot]);
                    if let Some(samples) = parts.put(slot, sample) {
                        let batch = collate(&*dataset, &parts.indices, samples);
                        if results.send((parts.place, batch)).is_err() {
                            break;
                        }
                    }
                }
            });
        }
        let mut batches = Batches {
            jobs: Some(job_sender),
            waiting: batches.into_iter(),
            results,
            early: BTreeMap::new(),
            next: 0,
            count,
        };
        // While the net learns from one, another is ready and a third in the making; more of them
        // where threads are many, as each puts a batch together by itself, or batches are small.
        for _ in 0..2 + loader.num_workers / loader.batch_size.min(8) {
            batches.hand_out();
        }
        batches
    }

    fn hand_out(&mut self) {
        if let (Some(jobs), Some(parts)) = (&self.jobs, self.waiting.next()) {
            for slot in 0..parts.indices.len() {
                // Only fails when all threads are gone; `receive` says so then.
                let _ = jobs.send((parts.clone(), slot));
            }
        }
    }

    fn receive(&mut self) -> Batch {
        loop {
            if let Some(batch) = self.early.remove(&self.next) {
                return batch;
            }
            match self.results.recv() {
                Ok((place, batch)) => self.early.insert(place, batch),
                Err(_) => return Err(broken("a thread of the loader ended")),
            };
        }
    }
}

impl Iterator for Batches {
    type Item = Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let batch = check_interrupt().and_then(|()| self.receive());
        if batch.is_ok() {
            self.next += 1;
            self.hand_out();
        } else {
            self.next = self.count;
            self.jobs = None;
        }
        Some(batch)
    }
}

fn make_sample(dataset: &dyn Dataset, seed: u64, epoch: u64, index: usize) -> Sample {
    // A transform that panics would leave its batch without an end.
    let make = || dataset.sample(index, &mut generator(seed, epoch, index as u64));
    catch_unwind(AssertUnwindSafe(make))
        .unwrap_or_else(|_| Err(broken("a transform panicked").during(dataset.name(index))))
}

fn broken(found: &str) -> Error {
    let todo = "look for a panic in the output above";
    Error::invalid("DataLoader", found, "transforms that return errors", todo)
}

/// Pictures `[N, 3, H, W]` and labels `[N]`.
fn collate(dataset: &dyn Dataset, indices: &[usize], samples: Vec<Sample>) -> Batch {
    let (mut pictures, mut labels) = (vec![], vec![]);
    for (&index, sample) in indices.iter().zip(samples) {
        let (image, label) = sample?;
        let name = dataset.name(index);
        let Image::Float(numbers) = image else {
            let todo = "put ToTensor at the end of the transform given to the data set";
            return Err(Error::invalid(&name, "still pixels", "numbers for the net", todo));
        };
        let first = pictures.first().unwrap_or(&numbers);
        let size = |numbers: &FloatImage| (numbers.width(), numbers.height());
        if size(&numbers) != size(first) {
            return Err(Error::invalid(
                &name,
                format!("{}×{} pixels after the transform", numbers.width(), numbers.height()),
                format!("{}×{}, as the batch's first picture", first.width(), first.height()),
                "make all pictures one size with RandomResizedCrop, or Resize([256, 256])",
            ));
        }
        pictures.push(numbers);
        labels.push(label);
    }
    let (height, width) = pictures.first().map_or((0, 0), |first| (first.height(), first.width()));
    let x = memory::pixels([pictures.len(), height, width], |places| {
        let mut places = places.iter_mut();
        for picture in &pictures {
            picture.each(|pixel| {
                if let Some(place) = places.next() {
                    place.write(pixel);
                }
            });
        }
    })?;
    // Channels lie side by side in memory: libtorch's channels-last layout.
    let (x, y) = (x.f_permute([0, 3, 1, 2])?, Tensor::f_from_slice(&labels)?);
    Ok((for_the_gpu(x), for_the_gpu(y)))
}

/// Where there is a GPU: memory that it can copy from by itself, if there is enough of it.
fn for_the_gpu(tensor: Tensor) -> Tensor {
    // tch's `pin_memory` names a device, of which libtorch warns each time.
    let pinned = (num_gpus() > 0).then(|| tensor.f_internal_pin_memory(Device::Cuda(0)));
    pinned.and_then(Result::ok).unwrap_or(tensor)
}
