//! Names of files and folders with data and weights.

/// The folder of the book's photographs of hot dogs, unpacked.
pub const HOTDOG: &str = "hotdog";
/// The archive that they come in.
pub const HOTDOG_ARCHIVE: &str = "hotdog.zip";
/// The folder of the drawings in their place. The number changes with the drawings.
pub const HOTDOG_DRAWINGS: &str = "hotdog-drawings-2";
/// torchvision's ImageNet weights of ResNet-18.
pub const RESNET18: &str = "resnet18-f37072fd.pth";
/// The ImageNet weights of EfficientNet-Lite0, which the set-up makes.
pub const EFFICIENTNET_LITE0: &str = "efficientnet_lite0.safetensors";
