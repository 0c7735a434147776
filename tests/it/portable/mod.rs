//! Portable migrations on real servers.

mod catalog;
mod pages;
mod sample;
mod service;
