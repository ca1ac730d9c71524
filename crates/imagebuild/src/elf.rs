//! Facts read from ELF files: which shared libraries a program needs, and what a kernel module
//! says about itself.

use object::read::elf::{ElfFile64, FileHeader as _};
use object::{Object as _, ObjectSection as _};

/// Names of the shared libraries (`DT_NEEDED`) that the program or library asks for. Empty for
/// what is no dynamic ELF file.
pub(crate) fn needed_libraries(bytes: &[u8]) -> Vec<String> {
    if !bytes.starts_with(b"\x7fELF") {
        return Vec::new();
    }
    read_needed(bytes).unwrap_or_default()
}

fn read_needed(bytes: &[u8]) -> Option<Vec<String>> {
    let header = object::elf::FileHeader64::<object::Endianness>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, bytes).ok()?;
    let (entries, strings_index) = sections.dynamic(endian, bytes).ok()??;
    let strings = sections.strings(endian, bytes, strings_index).ok()?;
    let mut names = Vec::new();
    for entry in entries {
        if entry.d_tag.get(endian) == object::elf::DT_NEEDED {
            let offset = u32::try_from(entry.d_val.get(endian)).ok()?;
            let name = strings.get(offset).ok()?;
            names.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Some(names)
}

/// The `key=value` pairs of a kernel module's `.modinfo` section.
pub(crate) fn module_facts(bytes: &[u8]) -> Vec<(String, String)> {
    let Ok(file) = ElfFile64::<object::Endianness>::parse(bytes) else {
        return Vec::new();
    };
    let Some(data) = file
        .section_by_name(".modinfo")
        .and_then(|section| section.data().ok())
    else {
        return Vec::new();
    };
    data.split(|byte| *byte == 0)
        .filter_map(|pair| {
            let text = String::from_utf8_lossy(pair);
            let (key, value) = text.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_names_its_libraries() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(
            needed_libraries(&own)
                .iter()
                .any(|name| name == "libc.so.6")
        );
    }

    #[test]
    fn what_is_no_elf_file_needs_nothing() {
        assert!(needed_libraries(b"#!/bin/sh\n").is_empty());
        assert!(needed_libraries(b"\x7fELF").is_empty());
        assert!(module_facts(b"\x7fELF garbage").is_empty());
    }
}
