//! Manifests to copy, and programs that embed the engine (see the files beside this one).
