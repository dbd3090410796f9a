//! The program of an image: read, and refused if the image could not run it.

use std::fs;
use std::path::Path;

use elf::ElfBytes;
use elf::abi::{EM_AARCH64, EM_X86_64, PT_INTERP};
use elf::endian::AnyEndian;

use crate::ImageError;

/// A static Linux program.
#[derive(Debug)]
pub(crate) struct Program {
    /// The name of its file.
    pub(crate) name: String,
    /// The architecture, as images call it.
    pub(crate) architecture: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Program {
    pub(crate) fn read(path: &Path) -> Result<Self, ImageError> {
        let bytes = fs::read(path).map_err(|source| ImageError::File {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let refused = |reason| ImageError::Program {
            path: path.to_owned(),
            reason,
        };
        let architecture = architecture(&bytes).map_err(refused)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: name.into_owned(),
            architecture,
            bytes,
        })
    }
}

fn architecture(bytes: &[u8]) -> Result<&'static str, &'static str> {
    const NOT_A_PROGRAM: &str = "it is not a program for Linux";
    let file = ElfBytes::<AnyEndian>::minimal_parse(bytes).map_err(|_| NOT_A_PROGRAM)?;
    let segments = file.segments().ok_or(NOT_A_PROGRAM)?;
    if segments.iter().any(|segment| segment.p_type == PT_INTERP) {
        return Err("it needs the libraries of this machine; link it statically");
    }
    match file.ehdr.e_machine {
        EM_X86_64 => Ok("amd64"),
        EM_AARCH64 => Ok("arm64"),
        _ => Err("it is neither for amd64 nor for arm64"),
    }
}
