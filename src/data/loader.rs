//! Batches, made by threads while the network computes (d2l: section 4.2, `DataLoader`).

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rand::RngExt;
use rand::seq::SliceRandom;
use tch::{Device, Tensor};

use super::collate::collate;
use super::dataset::{brief, named};
use super::{Dataset, Sample};
use crate::device::num_gpus;
use crate::jupyter::check_interrupt;
use crate::random::{generator, global_seed};
use crate::settings;
use crate::{Error, Result};

/// Makes batches of a data set (PyTorch: `DataLoader`); the last one may be smaller.
///
/// A batch is `(x, y)`: images `[N, 3, H, W]` (`f32`), and of classes `[N]` (`i64`). Targets that are
/// tensors are stacked: boxes `[M, 5]` to `[N, M, 5]`, masks `[H, W]` to `[N, H, W]`, numbers `[K]` to
/// `[N, K]`, of the kind that they are.
///
/// Threads make the images of the next two batches while a network learns, of four where threads are
/// many. What a batch holds depends on the seed, the epoch and the images alone, not on the number
/// of threads.
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
pub struct DataLoader {
    dataset: Arc<dyn Dataset>,
    batch_size: usize,
    shuffle: bool,
    drop_last: bool,
    num_workers: usize,
    pin_memory: Option<bool>,
    seed: u64,
    epoch: AtomicU64,
}

impl DataLoader {
    /// Batches of `batch_size`, in order, by as many threads as there are cores, sixteen at most.
    ///
    /// A set that is needed elsewhere, too, is given as an [`Arc`] or a clone.
    ///
    /// # Errors
    /// `batch_size` is 0.
    pub fn new(dataset: impl Dataset + 'static, batch_size: usize) -> Result<DataLoader> {
        DataLoader::of(Arc::new(dataset), batch_size)
    }

    fn of(dataset: Arc<dyn Dataset>, batch_size: usize) -> Result<DataLoader> {
        if batch_size == 0 {
            let todo = "give a batch size of 1 or more";
            return Err(Error::invalid("DataLoader", "batch size 0", "1 or more", todo));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(DataLoader {
            dataset,
            batch_size,
            shuffle: false,
            drop_last: false,
            num_workers: cores.min(16),
            pin_memory: None,
            seed: global_seed(),
            epoch: AtomicU64::new(0),
        })
    }

    /// Whether each epoch has an order of its own.
    pub fn shuffle(self, shuffle: bool) -> DataLoader {
        DataLoader { shuffle, ..self }
    }

    /// Whether a last batch of fewer images is left out (PyTorch: `drop_last`).
    pub fn drop_last(self, drop_last: bool) -> DataLoader {
        DataLoader { drop_last, ..self }
    }

    /// The number of threads, from 1 to 256. Where the system starts fewer, these do the work.
    pub fn num_workers(self, num_workers: usize) -> DataLoader {
        DataLoader { num_workers: num_workers.clamp(1, 256), ..self }
    }

    /// Whether batches lie in memory that a GPU can copy from by itself, if there is a GPU and enough of
    /// such memory (PyTorch: `pin_memory`). Without this, only those that
    /// [`train_ch13`](crate::train::train_ch13) and
    /// [`evaluate_accuracy_gpu`](crate::train::evaluate_accuracy_gpu) send to a GPU do: pinning takes
    /// hundreds of megabytes of a GPU, also of one that nobody trains on.
    pub fn pin_memory(self, pin_memory: bool) -> DataLoader {
        DataLoader { pin_memory: Some(pin_memory), ..self }
    }

    /// Sets the epoch that [`iter`](Self::iter) starts next, from 0: a training that goes on after
    /// `n` epochs sees the images that an unbroken one would (PyTorch: `set_epoch` of samplers).
    pub fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The images that the batches come from.
    pub fn dataset(&self) -> &dyn Dataset {
        &*self.dataset
    }

    /// The number of images in an epoch's batches: all, unless `D2L_DATASET_LIMIT` bounds them or
    /// [`drop_last`](Self::drop_last) leaves some out.
    pub fn num_examples(&self) -> usize {
        let all = self.dataset.len();
        let count = settings::dataset_limit().map_or(all, |limit| limit.min(all));
        if self.drop_last { count - count % self.batch_size } else { count }
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.num_examples().div_ceil(self.batch_size)
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts the next epoch; `for batch in &loader` does, too.
    pub fn iter(&self) -> Batches {
        self.iter_for(Device::Cpu)
    }

    /// As [`iter`](Self::iter), for a loop that sends the batches to `device`.
    pub(crate) fn iter_for(&self, device: Device) -> Batches {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let mut order = self.indices();
        if self.shuffle {
            order.shuffle(&mut generator(self.seed, epoch, u64::MAX));
        }
        order.truncate(self.num_examples());
        Batches::start(self, epoch, order, self.pin_memory.unwrap_or(device.is_cuda()))
    }

    /// The places in the data set of an epoch's images, before they are shuffled: all, unless
    /// `D2L_DATASET_LIMIT` bounds them.
    ///
    /// The limit cuts the data set into as many parts of one length and takes an image of each
    /// randomly: the same ones each time, whatever the seed. So a class that lies together, as in an
    /// [`ImageFolder`](super::ImageFolder), has its share to within one image, and one whose images
    /// lie at even steps has its share on average.
    pub fn indices(&self) -> Vec<usize> {
        let all = self.dataset.len();
        let count = settings::dataset_limit().map_or(all, |limit| limit.min(all));
        let mut rng = generator(0, 0, all as u64);
        // In 128 bits, where the product has room.
        let start = |part: usize| (part as u128 * all as u128 / count as u128) as usize;
        (0..count).map(|part| rng.random_range(start(part)..start(part + 1))).collect()
    }

    /// Where the data set has the image that is at this place in an epoch, from 0, for
    /// [`Dataset::get`]: the place, unless `D2L_DATASET_LIMIT` leaves images out. A place comes from a
    /// tensor of all batches' results, such as the index of the largest loss.
    ///
    /// # Errors
    /// The epoch has no such place, or each has an order of its own (`shuffle`).
    pub fn index(&self, place: i64) -> Result<isize> {
        let refused = |found: String, expected: String, todo: &str| {
            Err(Error::invalid("DataLoader::index", found, expected, todo))
        };
        if self.shuffle {
            let (found, todo) =
                ("a loader that shuffles", "make one of the same set without shuffle");
            return refused(found.into(), "a loader with one order for all epochs".into(), todo);
        }
        let count = self.num_examples();
        let index = usize::try_from(place).ok().filter(|&place| place < count);
        match index.and_then(|place| self.indices().get(place).copied()) {
            Some(index) => Ok(index as isize),
            None => {
                let todo = "give the place of an image in the batches, from 0";
                refused(
                    format!("place {place}"),
                    format!("less than {count}, an epoch's images"),
                    todo,
                )
            }
        }
    }
}

impl IntoIterator for &DataLoader {
    type Item = Result<(Tensor, Tensor)>;
    type IntoIter = Batches;

    fn into_iter(self) -> Batches {
        self.iter()
    }
}

impl fmt::Display for DataLoader {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (dataset, size, count) = (brief(&self.dataset), self.batch_size, self.len());
        write!(f, "DataLoader({dataset}, batch_size={size}, {count} batches")?;
        let DataLoader { shuffle, drop_last, num_workers, .. } = self;
        write!(f, ", shuffle={shuffle}, drop_last={drop_last}, num_workers={num_workers})")
    }
}

crate::jupyter::show_as_text!(DataLoader);

type Batch = Result<(Tensor, Tensor)>;

/// A batch whose images are being made, by as many threads as there are.
struct Parts {
    place: usize,
    indices: Vec<usize>,
    samples: Mutex<Samples>,
}

/// The images of a batch, and how many are missing.
struct Samples {
    made: Vec<Option<Result<Sample>>>,
    missing: usize,
}

impl Parts {
    fn new(place: usize, indices: Vec<usize>) -> Parts {
        let made = indices.iter().map(|_| None).collect();
        let samples = Mutex::new(Samples { made, missing: indices.len() });
        Parts { place, indices, samples }
    }

    /// Keeps an image; whoever brings the last one gets all.
    fn put(&self, slot: usize, sample: Result<Sample>) -> Option<Vec<Result<Sample>>> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.made[slot] = Some(sample);
        samples.missing -= 1;
        let is_whole = samples.missing == 0;
        is_whole.then(|| std::mem::take(&mut samples.made).into_iter().flatten().collect())
    }
}

/// The image for one slot of a batch.
type Job = (Arc<Parts>, usize);

/// What the threads of an epoch share.
struct Shared {
    dataset: Arc<dyn Dataset>,
    seed: u64,
    epoch: u64,
    pin_memory: bool,
    jobs: Receiver<Job>,
    /// Nobody waits for the batches any more.
    is_left: AtomicBool,
}

impl Shared {
    /// What a thread does. It must outlive every panic of the data set: a batch without an end would be
    /// waited for.
    fn work(&self, results: &Sender<(usize, Batch)>) {
        loop {
            let Ok((parts, slot)) = self.jobs.recv() else { return };
            if self.is_left.load(Ordering::Relaxed) {
                return;
            }
            let sample = self.make_sample(parts.indices[slot]);
            if let Some(samples) = parts.put(slot, sample) {
                let collate = || self.collate(&parts.indices, samples);
                let batch = catch_unwind(AssertUnwindSafe(collate))
                    .unwrap_or_else(|_| Err(panicked("a panic while the batch was put together")));
                if results.send((parts.place, batch)).is_err() {
                    return;
                }
            }
        }
    }

    fn make_sample(&self, index: usize) -> Result<Sample> {
        let rng = &mut generator(self.seed, self.epoch, index as u64);
        let make = || self.dataset.sample(index, rng);
        catch_unwind(AssertUnwindSafe(make))
            .unwrap_or_else(|_| Err(panicked("the data set or a transform panicked")))
            .map_err(|error| named(error, &self.name(index)))
    }

    /// What messages call an image, even where the data set's own name for it fails.
    fn name(&self, index: usize) -> String {
        catch_unwind(AssertUnwindSafe(|| self.dataset.name(index)))
            .unwrap_or_else(|_| format!("sample {index}"))
    }

    fn collate(&self, indices: &[usize], samples: Vec<Result<Sample>>) -> Batch {
        let (x, y) = collate(indices, samples, |index| self.name(index))?;
        let is_pinned = self.pin_memory && num_gpus() > 0;
        Ok(if is_pinned { (pinned(x), pinned(y)) } else { (x, y) })
    }
}

/// The batches of one epoch, in order. After an error there are no more; the stop button is one, also
/// while a batch is waited for.
pub struct Batches {
    shared: Arc<Shared>,
    jobs: Option<Sender<Job>>,
    /// What has not been handed out.
    waiting: std::vec::IntoIter<usize>,
    batch_size: usize,
    handed_out: usize,
    results: Receiver<(usize, Batch)>,
    /// Batches that came before their turn.
    early: BTreeMap<usize, Batch>,
    next: usize,
    count: usize,
}

impl Batches {
    fn start(loader: &DataLoader, epoch: u64, order: Vec<usize>, pin_memory: bool) -> Batches {
        let (job_sender, job_receiver) = unbounded();
        let (result_sender, results) = unbounded();
        let shared = Arc::new(Shared {
            dataset: loader.dataset.clone(),
            seed: loader.seed,
            epoch,
            pin_memory,
            jobs: job_receiver,
            is_left: AtomicBool::new(false),
        });
        let mut num_workers = 0;
        for _ in 0..loader.num_workers.min(order.len()) {
            let (shared, results) = (shared.clone(), result_sender.clone());
            match thread::Builder::new().spawn(move || shared.work(&results)) {
                Ok(_) => num_workers += 1,
                Err(error) if num_workers == 0 => {
                    let _ = result_sender.send((0, Err(no_thread(&error))));
                    break;
                }
                Err(_) => break,
            }
        }
        let mut batches = Batches {
            shared,
            jobs: Some(job_sender),
            count: order.len().div_ceil(loader.batch_size),
            waiting: order.into_iter(),
            batch_size: loader.batch_size,
            handed_out: 0,
            results,
            early: BTreeMap::new(),
            next: 0,
        };
        // While the network learns from one, another is ready and a third in the making; more of them
        // where threads are many, as each puts a batch together by itself, or batches are small.
        for _ in 0..2 + num_workers / loader.batch_size.min(8) {
            batches.hand_out();
        }
        batches
    }

    fn hand_out(&mut self) {
        let indices: Vec<usize> = self.waiting.by_ref().take(self.batch_size).collect();
        let (Some(jobs), false) = (&self.jobs, indices.is_empty()) else { return };
        let parts = Arc::new(Parts::new(self.handed_out, indices));
        self.handed_out += 1;
        for slot in 0..parts.indices.len() {
            // `shared` holds a receiver, too; should all threads be gone, `receive` says so.
            let _ = jobs.send((parts.clone(), slot));
        }
    }

    fn receive(&mut self) -> Batch {
        loop {
            check_interrupt()?;
            if let Some(batch) = self.early.remove(&self.next) {
                return batch;
            }
            match self.results.recv_timeout(Duration::from_millis(50)) {
                Ok((place, batch)) => drop(self.early.insert(place, batch)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(panicked("all threads of the loader ended"));
                }
            }
        }
    }

    /// Ends the work of the threads: each finishes its image, and takes no other.
    fn stop(&mut self) {
        self.next = self.count;
        self.jobs = None;
        self.shared.is_left.store(true, Ordering::Relaxed);
    }
}

impl Iterator for Batches {
    type Item = Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let batch = self.receive();
        if batch.is_ok() {
            self.next += 1;
            self.hand_out();
        } else {
            self.stop();
        }
        Some(batch)
    }

    /// At most so many: an error ends them.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.next;
        (left.min(1), Some(left))
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.stop();
    }
}

fn panicked(found: &str) -> Error {
    let todo = "look for a panic in the output above";
    Error::invalid("DataLoader", found, "data sets and transforms that return errors", todo)
}

fn no_thread(error: &std::io::Error) -> Error {
    let found = format!("the system starts no thread: {error}");
    let todo = "close other programs, or raise the limit of processes (ulimit -u)";
    Error::invalid("DataLoader", found, "one thread or more", todo)
}

/// The tensor in memory that a GPU can copy from by itself, if there is enough of it.
fn pinned(tensor: Tensor) -> Tensor {
    // tch's `pin_memory` names a device, of which libtorch warns each time.
    tensor.f_internal_pin_memory(Device::Cuda(0)).unwrap_or(tensor)
}
