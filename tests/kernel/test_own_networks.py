"""Networks, data sets and schedules that a reader writes in cells, as the later sections do."""

import re
import unittest

from notebook import DEP, KernelTest

CIFAR10 = """
manual_seed(0);
fn cifar10(train: bool, count: usize) -> Result<DataLoader> {
    let images = CIFAR10::with_transform(download_extract("cifar10")?, train, &compose![ToTensor])?;
    Ok(DataLoader::new(Subset::new(images, 0..count)?, 32)?.shuffle(train))
}
let (train_iter, test_iter) = (cifar10(true, 1600)?, cifar10(false, 320)?);
let loss = CrossEntropyLoss::new(Reduction::None);
"""

LENET = """
let net = sequential![
    Conv2d::new(3, 6, 5)?.padding(2)?, ReLU::new(), MaxPool2d::new(2)?,
    Conv2d::new(6, 16, 5)?, ReLU::new(), MaxPool2d::new(2)?,
    Flatten::new(),
    Linear::new(16 * 6 * 6, 120)?, ReLU::new(), Linear::new(120, 84)?, ReLU::new(), Linear::new(84, 10)?,
];
let mut trainer = Adam::new(net.parameters(), 3e-3)?;
let lenet = train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 4, &try_all_gpus())?;
"""

CLASS_ACTIVATION_MAP = """
let image = Image::from_tensor(&Tensor::rand([3, 224, 224], (Kind::Float, Device::Cpu)))?;
let mut net = pretrained_source_model()?;
net.fc = linear(net.fc.in_features(), 2)?;
net.eval();

let x = image.to_tensor()?.unsqueeze(0);
let last = if net.architecture() == Architecture::EfficientNetLite0 { "relu1" } else { "layer4" };
let maps = no_grad(|| net.features.outputs(&[last], &x))?.remove(0);
let scores = no_grad(|| net.forward(&x))?;
let class = scores.argmax(1, false);
let weight = net.fc.weight.detach().index_select(0, &class).view([1, -1, 1, 1]);
let cam = (&maps * weight).sum_dim_intlist(1, false, Kind::Float);
show_images(&cam, 1, 1, 2.)?;
cam.size()
"""

BOXES = """
#[derive(Debug)]
struct Squares;

impl Dataset for Squares {
    fn len(&self) -> usize {
        24
    }

    fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample> {
        let (left, top) = (index as i64 % 8, index as i64 / 8);
        let image = Tensor::zeros([3, 16, 16], (Kind::Float, Device::Cpu));
        let _ = image.narrow(1, top, 6).narrow(2, left, 6).fill_(1.);
        let corners = [left, top, left + 6, top + 6].map(|edge| edge as f32 / 16.);
        let boxes = Tensor::from_slice2(&[[&[0.], &corners[..]].concat()]);
        Sample::new(Image::from_tensor(&image)?, boxes).random_horizontal_flip(0.5, rng)
    }
}

let loader = DataLoader::new(Squares, 10)?.shuffle(true);
for batch in &loader {
    let (x, y) = batch?;
    // Inside of its box each image is white, outside black.
    for i in 0..y.size()[0] {
        let edge = |k: i64| (y.double_value(&[i, 0, k]) * 16.).round() as i64;
        let (left, top) = (edge(1), edge(2));
        let inside = x.get(i).narrow(1, top, edge(4) - top).narrow(2, left, edge(3) - left);
        assert_eq!(inside.sum(Kind::Float).double_value(&[]), 108.);
        assert_eq!(x.get(i).sum(Kind::Float).double_value(&[]), 108.);
    }
    println!("{:?} {:?}", x.size(), y.size());
}
"""

# A loop of one's own around the training, which can be broken off and go on.
EPOCHS = """
while run.epochs < 6 && !run.stopped {
    let done = run.epochs;
    run.train(&net, &train_iter, &test_iter, &loss, &mut trainer, 1, &try_all_gpus())?;
    if run.epochs > done {
        schedule.step(&mut trainer)?;
        save_checkpoint(&net, &trainer, Some(&schedule), run.epochs, &file)?;
    }
}
println!("{:?}", trainer.learning_rates());
"""


class OwnNetworks(KernelTest):
    setup = DEP
    environment = {"D2L_OFFLINE": "1"}

    def test_lenet_learns(self):
        self.assert_ok(self.run_cell(CIFAR10))
        run = self.assert_ok(self.run_cell(LENET))
        accuracy = float(re.search(r"test acc (\d\.\d+)\n.*examples/sec", run.text())[1])
        # Of ten classes one is right by luck.
        self.assertGreater(accuracy, 0.3, run.text())
        self.assertEqual(self.run_cell("(net.len(), lenet.stopped)").result, [{"text/plain": "(12, false)"}])
        self.a_stopped_schedule_goes_on()

    def test_a_class_activation_map(self):
        run = self.assert_ok(self.run_cell(CLASS_ACTIVATION_MAP))
        self.assertEqual(run.result, [{"text/plain": "[1, 7, 7]"}])
        self.assertIn("image/svg+xml", [kind for m in run.of("display_data") for kind in m["content"]["data"]])

    def test_boxes_go_through_a_loader(self):
        run = self.assert_ok(self.run_cell(BOXES))
        shapes = ["[10, 3, 16, 16] [10, 1, 5]"] * 2 + ["[4, 3, 16, 16] [4, 1, 5]"]
        self.assertEqual(run.text().splitlines(), shapes)

    def a_stopped_schedule_goes_on(self):
        """Stopped in an epoch, it goes on from the checkpoint with the numbers of an unbroken run."""
        file = 'let file = std::env::temp_dir().join(format!("d2l-schedule-{}.safetensors", std::process::id()));'
        start = (
            "manual_seed(3);\n"
            "let train_iter = cifar10(true, 1600)?;\n"
            "let net = sequential![Flatten::new(), Linear::new(3 * 32 * 32, 10)?];\n"
            "let mut trainer = SGD::new(net.parameters(), 1e-4)?.momentum(0.9)?;\n"
            "let mut schedule = StepLR::new(2, 0.5)?;\n"
            "let mut run = Summary::new();\n"
        )
        self.assert_ok(self.run_cell(file + "\n" + start))
        unbroken = self.assert_ok(self.run_cell(EPOCHS))
        losses = lambda run: re.findall(r"epoch (\d): (loss [\d.]+, train acc [\d.]+, test acc [\d.]+)", run.text())
        self.assertEqual([epoch for epoch, _ in losses(unbroken)], list("123456"))
        self.assertIn("[1.25e-5]", unbroken.text())

        self.assert_ok(self.run_cell(start))
        stopped = self.run_cell(EPOCHS, on_message=self.interrupt_at("epoch 3: loss"))
        # Between two epochs it is the loop that sees the press, and ends the cell with an error.
        self.assertTrue(stopped.error is None or stopped.error["ename"] == "Interrupted", stopped.error)
        self.assertLess(len(losses(stopped)), 6)
        # The names of the stopped cell are there, and the checkpoint is of the last whole epoch.
        resume = (
            "let done = load_checkpoint(&net, &mut trainer, Some(&mut schedule), &file)?;\n"
            "train_iter.set_epoch(done as u64);\n"
            "assert_eq!(done, run.epochs);\n"
            "run.stopped = false;\n"
        )
        self.assert_ok(self.run_cell(resume))
        rest = self.assert_ok(self.run_cell(EPOCHS))
        self.assertEqual(losses(stopped) + losses(rest), losses(unbroken))
        self.assertIn("[1.25e-5]", rest.text())
        self.assert_ok(self.run_cell("std::fs::remove_file(&file)?;"))


if __name__ == "__main__":
    unittest.main()
