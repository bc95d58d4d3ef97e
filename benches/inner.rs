//! Our own inner loops, by criterion: `cargo bench` (the loops beside Python's: `cargo d2l bench`).

use criterion::{Criterion, criterion_group, criterion_main};
use d2l::data::transforms::Transform;
use d2l::data::{Rng, manual_seed};
use d2l::image::{self, RgbImage};
use d2l::prelude::*;
use rand::SeedableRng;

/// About as many pixels and as much detail as a photograph of the lesson's has.
fn test_image() -> RgbImage {
    RgbImage::from_fn(480, 375, |x, y| {
        let wave = |a: f32, b: f32| {
            (127.5 + 100. * ((x as f32 / a).sin() + (y as f32 / b).cos()) / 2.) as u8
        };
        image::Rgb([wave(9., 31.), wave(3., 17.), wave(40., 5.) ^ (x * y % 7) as u8])
    })
}

fn images(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let class = folder.path().join("class");
    std::fs::create_dir(&class).unwrap();
    let path = class.join("image.jpg");
    test_image().save(&path).unwrap();
    c.bench_function("decode a JPEG, 480×375", |b| b.iter(|| Image::open(&path).unwrap()));

    let mut rng = Rng::seed_from_u64(0);
    let image = Image::from(test_image());
    for (name, step) in [
        ("Resize([256, 256])", &Resize::new([256, 256]).unwrap() as &dyn Transform),
        ("RandomResizedCrop(224)", &RandomResizedCrop::new(224).unwrap()),
        ("RandomHorizontalFlip(1.)", &RandomHorizontalFlip::new(1.).unwrap()),
    ] {
        let image = || image.clone();
        c.bench_function(name, |b| {
            b.iter_batched(
                image,
                |image| step.apply(image, &mut rng),
                criterion::BatchSize::SmallInput,
            )
        });
    }

    for i in 0..63 {
        std::fs::copy(&path, class.join(format!("{i}.jpg"))).unwrap();
    }
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).unwrap();
    let augs = compose![
        RandomResizedCrop::new(224).unwrap(),
        RandomHorizontalFlip::new(0.5).unwrap(),
        ToTensor,
        normalize
    ];
    let images = ImageFolder::with_transform(folder.path(), &augs).unwrap();
    let loader = |images: ImageFolder| DataLoader::new(images, 32).unwrap().num_workers(1);
    let cached = loader(images.clone().keep_decoded(1 << 30));
    for (name, loader) in [("two batches of 32", loader(images)), ("… of cached images", cached)]
    {
        c.bench_function(name, |b| b.iter(|| loader.iter().map(Result::unwrap).count()));
    }
}

fn step(c: &mut Criterion) {
    manual_seed(0);
    let net = resnet18(Weights::Random).unwrap();
    let mut trainer = SGD::new(net.parameters(), 1e-5).unwrap().weight_decay(1e-3).unwrap();
    let x = Tensor::rand([2, 3, 64, 64], (Kind::Float, Device::Cpu));
    net.forward(&x).unwrap().sum(Kind::Float).backward();
    c.bench_function("a step of SGD, ResNet-18", |b| b.iter(|| trainer.step().unwrap()));
}

criterion_group! {
    name = inner;
    config = Criterion::default().sample_size(20).without_plots();
    targets = images, step
}
criterion_main!(inner);
