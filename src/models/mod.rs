//! Networks for images and their pretrained weights (d2l: sections 8.6 and 14.2).
//!
//! To a learner each is many feature layers and one output layer, [`Classifier::fc`].

pub(crate) mod book_resnet;
mod classifier;
mod efficientnet_lite;
mod pretrained;
mod resnet;

pub use book_resnet::BookResNet;
pub use classifier::{
    Architecture, Classifier, Weights, efficientnet_lite0, resnet18, resnet34, resnet50,
};
pub use pretrained::pretrained_source_model;
