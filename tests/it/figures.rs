//! The figures that are drawn.
use d2l::prelude::*;

fn training(epochs: usize, first: f64, names: &[&str], until: f64) -> Animator {
    let mut a = Animator::new("epoch", names).xlim(0., epochs as f64).ylim(0., 1.);
    for i in 1..=epochs * 5 {
        let x = i as f64 / 5.;
        if x > until { break; }
        let wobble = ((i * 7919) % 13) as f64 / 13. - 0.5;
        let loss = first * (-x * 0.9).exp() + 0.08 + 0.02 * wobble;
        let acc = 0.95 - 0.45 * (-x * 0.8).exp() + 0.02 * wobble;
        a.add(x, &[Some(loss), Some(acc), None]);
        if i % 5 == 0 { a.add(x, &[None, None, Some(acc + 0.03)]); }
    }
    a
}

#[test]
fn look() {
    let save = |name: &str, figure: d2l::Result<Figure>| figure.unwrap().save(format!("/tmp/fig/{name}.svg")).unwrap();
    let en = ["train loss", "train acc", "test acc"];
    save("train5", training(5, 2.5, &en, 9.).figure());
    save("train10", training(10, 0.9, &en, 99.).figure());
    save("train1", training(1, 0.9, &en, 9.).figure());
    save("live", training(5, 2.5, &en, 1.7).title("fine-tuning").figure());
    save("empty", training(5, 2.5, &en, 0.).figure());
    save("ja", training(5, 0.6, &["訓練の損失", "訓練正解率", "テスト正解率"], 9.).title("ファインチューニング").figure());
    save("one", training(5, 2.5, &en, 9.).above(&[]).figure());
    let mut both = Animator::new("epoch", &["fine-tuning", "from scratch"]).title("test accuracy of both nets").xlim(1., 5.).ylim(0., 1.);
    for (i, (a, b)) in [(0.92, 0.61), (0.94, 0.7), (0.95, 0.76), (0.96, 0.77), (0.965, 0.82)].into_iter().enumerate() {
        both.errorbar(i as f64 + 1., &[Some((a, 0.009)), Some((b, 0.019))]);
    }
    save("both", both.figure());
    let mut sweep = Animator::new("学習率", &["訓練正解率", "テスト正解率"]).xscale("log").ylim(0., 1.).title("1 エポック");
    for (r, a, b) in [(5e-6, 0.8, 0.94), (2e-5, 0.86, 0.95), (8e-5, 0.9, 0.95), (3e-4, 0.6, 0.5), (1.3e-3, 0.52, 0.5)] {
        sweep.add(r, &[Some(a), Some(b)]);
    }
    save("sweep", sweep.figure());
    let mut counts = Animator::new("training images", &["fine-tuned", "frozen", "from scratch"]).xscale("log").ylim(0.4, 1.).ylabel("test accuracy, 3 seeds");
    for (n, v) in [(25., [0.85, 0.83, 0.5]), (50., [0.9, 0.88, 0.51]), (100., [0.92, 0.9, 0.52]), (200., [0.94, 0.92, 0.55]), (400., [0.95, 0.93, 0.6]), (1200., [0.97, 0.94, 0.82])] {
        counts.errorbar(n, &v.map(|y| Some((y, 0.6 / n + 0.008))));
    }
    save("counts", counts.figure());
    let names = ["train acc, augmented", "test acc, augmented", "train acc, plain", "test acc, plain"];
    let mut four = Animator::new("epoch", &names).title("with and without augmentation").xlim(0., 10.).ylim(0., 1.);
    for e in 1..=10 { let e = e as f64; four.add(e, &[Some(0.8 - 0.5 / e), Some(0.78 - 0.4 / e), Some(0.79 - 0.45 / e), Some(0.76 - 0.3 / e)]); }
    save("four", four.figure());

    let counts = Tensor::from_slice(&[188i64, 12, 6, 194]).view([2, 2]);
    save("confusion2", ConfusionMatrix::new(&counts, &["hotdog", "not-hotdog"]).figure());
    save("confusion2ja", ConfusionMatrix::new(&counts, &["ホットドッグ", "それ以外"]).xlabel("予測").ylabel("正解").title("混同行列").figure());
    let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let ten: Vec<i64> = (0..100).map(|i| if i % 11 == 0 { 70 + i / 11 * 3 } else { (i * 7919 % 17 - 7).max(0) }).collect();
    save("confusion10", ConfusionMatrix::new(&Tensor::from_slice(&ten).view([10, 10]), &names).title("CIFAR-10, test set").figure());
    save("confusion30", ConfusionMatrix::new(&(Tensor::eye(30, (Kind::Float, Device::Cpu)) * 20 + 1), &(0..30).map(|i| format!("class {i}")).collect::<Vec<_>>()).figure());
    let mut bars = Bars::new("test accuracy, 3 seeds", &["accuracy"]).ylim(0., 1.).title("what each transform mends");
    for (n, v) in [("none", 0.52), ("flip", 0.61), ("crop", 0.7), ("colour", 0.66), ("all", 0.91)] {
        bars.add(n, &[[v - 0.03, v + 0.01, v + 0.02]]);
    }
    save("bars", bars.figure());
    let mut bars = Bars::new("テスト正解率（乱数 3 通り）", &["一から学習", "固定", "ファインチューニング"]).ylim(0., 1.);
    for (n, v) in [("25", 0.52), ("50", 0.55), ("100", 0.58), ("200", 0.63), ("400", 0.7), ("1200", 0.82)] {
        bars.add(n, &[[v - 0.03, v + 0.01, v + 0.02], [v + 0.1, v + 0.11, v + 0.12], [v + 0.15, v + 0.16, v + 0.13]]);
    }
    save("bars3", bars.figure());
    manual_seed(1);
    let points = Tensor::randn([300, 2], (Kind::Float, Device::Cpu));
    let labels = Tensor::arange(300, (Kind::Int64, Device::Cpu)).remainder(3);
    let points = points + labels.view([300, 1]).to_kind(Kind::Float) * Tensor::from_slice(&[2f32, -1.5]);
    save("scatter", Scatter::new(&points, &labels, &["hotdog", "not-hotdog", "bun"]).title("features, first two components").xlabel("first component").ylabel("second component").figure());
    save("scatterja", Scatter::new(&points, &labels, &["ホットドッグ", "それ以外", "パン"]).figure());
    let photos: Vec<Image> = std::fs::read_dir("/work/shared/hotdog/train/hotdog").unwrap().take(8).map(|f| Image::open(f.unwrap().path()).unwrap()).collect();
    save("grid", ImageGrid::new(&photos, 2, 4).scale(1.4).row_titles(&["hotdog", "それ以外"]).titles(&["hotdog 99 %", "not-hotdog 51 %", "hotdog 90 %", "automobile and a very long title", "a", "", "b", "正解はホットドッグ"]).colors(&["green", "red", "green", "red", "", "", "", "blue"]).figure());
    let (w, h) = photos[0].size();
    let (w, h) = (w as f64, h as f64);
    save("boxes", ImageGrid::new([&photos[0]], 1, 1).scale(5.).axis(true).bboxes(0, [([0.1 * w, 0.2 * h, 0.6 * w, 0.8 * h], "dog=0.9", "blue"), ([0.5 * w, 0.02 * h, 0.95 * w, 0.9 * h], "cat", "red"), ([0.7 * w, 0.5 * h, 1.5 * w, 0.7 * h], "外へ", "w"), ([0.3 * w, -0.5 * h, 0.45 * w, 0.3 * h], "", "y")]).figure());
    let map = Tensor::from_slice(&(0..49).map(|i| (-(((i / 7 - 2) as f32).powi(2) + ((i % 7 - 4) as f32).powi(2)) / 3.).exp()).collect::<Vec<f32>>()).view([7, 7]);
    let hot: Vec<Image> = photos.iter().map(|p| overlay_heat_map(p, &map, 0.7).unwrap()).collect();
    save("heat", ImageGrid::new(photos[..3].iter().chain(&hot[..3]), 2, 3).scale(2.).row_titles(&["image", "where"]).figure());
}
