//! What the fuzz targets run. Outside of the workspace: only nightly builds them.

pub mod entries;
