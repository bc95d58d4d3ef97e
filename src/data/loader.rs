//! Batches, made by threads while the net computes (d2l: section 4.2, `DataLoader`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use rand::seq::SliceRandom;
use tch::Tensor;

use super::rng::{generator, global_seed};
use super::{Image, ImageFolder};
use crate::interrupt::check_interrupt;
use crate::quick;
use crate::{Error, Result};

/// Makes batches of a folder (PyTorch: `DataLoader`); the last one may be smaller.
///
/// Threads read ahead by a few batches. What a batch holds depends on the seed, the epoch and the
/// pictures alone, not on the number of threads.
pub struct DataLoader {
    folder: Arc<ImageFolder>,
    batch_size: usize,
    shuffle: bool,
    num_workers: usize,
    seed: u64,
    epoch: AtomicU64,
}

impl DataLoader {
    /// Batches of `batch_size`, in order, by as many threads as there are cores, four at most.
    ///
    /// # Errors
    /// `batch_size` is 0.
    pub fn new(folder: ImageFolder, batch_size: usize) -> Result<DataLoader> {
        if batch_size == 0 {
            let todo = "give a batch size of 1 or more";
            return Err(Error::invalid("DataLoader", "batch size 0", "1 or more", todo));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(DataLoader {
            folder: Arc::new(folder),
            batch_size,
            shuffle: false,
            num_workers: cores.min(4),
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
    pub fn folder(&self) -> &ImageFolder {
        &self.folder
    }

    /// The number of pictures in an epoch: all, unless `D2L_DATASET_LIMIT` bounds them.
    pub fn num_examples(&self) -> usize {
        quick::dataset_limit().map_or(self.folder.len(), |limit| limit.min(self.folder.len()))
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
        let mut order = self.order();
        if self.shuffle {
            order.shuffle(&mut generator(self.seed, epoch, u64::MAX));
        }
        Batches::start(self, epoch, order)
    }

    /// The pictures of an epoch. A limit takes them at even steps, so that all classes stay.
    fn order(&self) -> Vec<usize> {
        let (all, count) = (self.folder.len(), self.num_examples());
        (0..count).map(|i| i * all / count).collect()
    }
}

impl fmt::Debug for DataLoader {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (folder, size, count) = (&self.folder, self.batch_size, self.len());
        write!(f, "DataLoader({folder:?}, batch_size={size}, {count} batches")?;
        write!(f, ", shuffle={}, num_workers={})", self.shuffle, self.num_workers)
    }
}

/// The pixels of a batch, `[N, H, W, 3]` row by row, and the labels.
struct RawBatch {
    pixels: Vec<f32>,
    size: [i64; 4],
    labels: Vec<i64>,
}

type Job = (usize, Vec<usize>);

/// The batches of one epoch, in order. After an error there are no more; the stop button is one.
pub struct Batches {
    jobs: Option<mpsc::Sender<Job>>,
    waiting: std::vec::IntoIter<Job>,
    results: mpsc::Receiver<(usize, Result<RawBatch>)>,
    /// Batches that came before their turn.
    early: BTreeMap<usize, Result<RawBatch>>,
    next: usize,
    count: usize,
}

impl Batches {
    fn start(loader: &DataLoader, epoch: u64, order: Vec<usize>) -> Batches {
        let jobs: Vec<Job> =
            order.chunks(loader.batch_size).map(<[usize]>::to_vec).enumerate().collect();
        let count = jobs.len();
        let (job_sender, job_receiver) = mpsc::channel::<Job>();
        let (result_sender, results) = mpsc::channel();
        let job_receiver = Arc::new(Mutex::new(job_receiver));
        for _ in 0..loader.num_workers.min(count) {
            let (jobs, results) = (job_receiver.clone(), result_sender.clone());
            let (folder, seed) = (loader.folder.clone(), loader.seed);
            thread::spawn(move || {
                loop {
                    // The lock is held while waiting: the next idle thread gets the next job.
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((place, indices)) = job else { break };
                    let batch = make_batch(&folder, seed, epoch, &indices);
                    if results.send((place, batch)).is_err() {
                        break;
                    }
                }
            });
        }
        let mut batches = Batches {
            jobs: Some(job_sender),
            waiting: jobs.into_iter(),
            results,
            early: BTreeMap::new(),
            next: 0,
            count,
        };
        // One batch more than threads: no thread waits, and memory is bounded.
        for _ in 0..=loader.num_workers {
            batches.hand_out();
        }
        batches
    }

    fn hand_out(&mut self) {
        if let (Some(jobs), Some(job)) = (&self.jobs, self.waiting.next()) {
            // Only fails when all threads are gone; `next` says so then.
            let _ = jobs.send(job);
        }
    }

    fn receive(&mut self) -> Result<RawBatch> {
        loop {
            if let Some(batch) = self.early.remove(&self.next) {
                return batch;
            }
            match self.results.recv() {
                Ok((place, batch)) => self.early.insert(place, batch),
                Err(_) => {
                    return Err(Error::invalid(
                        "DataLoader",
                        "the loader's threads ended before the batch was made",
                        "threads that run until the last batch",
                        "this is a fault in a transform: look for a panic in the output above",
                    ));
                }
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
        let batch = check_interrupt().and_then(|()| self.receive()).and_then(|batch| {
            // Channels lie side by side in memory: libtorch's channels-last layout.
            let x = Tensor::f_from_slice(&batch.pixels)?.f_view(batch.size)?;
            Ok((x.f_permute([0, 3, 1, 2])?, Tensor::f_from_slice(&batch.labels)?))
        });
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

fn make_batch(folder: &ImageFolder, seed: u64, epoch: u64, indices: &[usize]) -> Result<RawBatch> {
    let mut batch = RawBatch { pixels: vec![], size: [0; 4], labels: vec![] };
    for &index in indices {
        let (image, label) = folder.sample(index, &mut generator(seed, epoch, index as u64))?;
        let path = &folder.samples()[index].0;
        let numbers = match image {
            Image::Float(numbers) => numbers,
            Image::Pixels(_) => {
                let todo = "put ToTensor at the end of the transform given to ImageFolder";
                return Err(Error::file(path, "still pixels", "numbers for the net", todo));
            }
        };
        let size = [indices.len() as i64, numbers.height as i64, numbers.width as i64, 3];
        if batch.labels.is_empty() {
            batch.size = size;
            batch.pixels.reserve_exact(indices.len() * numbers.data.len());
        } else if batch.size != size {
            return Err(Error::file(
                path,
                format!("{}×{} pixels after the transform", numbers.width, numbers.height),
                format!("{}×{}, as the batch's first picture", batch.size[2], batch.size[1]),
                "make all pictures one size with RandomResizedCrop, or Resize([256, 256])",
            ));
        }
        batch.pixels.extend_from_slice(&numbers.data);
        batch.labels.push(label);
    }
    Ok(batch)
}
