//! A small reader of ISO 9660 images, for tests alone.
//!
//! It shares no code with the writer and asserts what ECMA-119 demands of the structures it
//! passes: both byte orders agree, extents lie in the image, records are sorted and do not cross
//! sectors, and both path tables list exactly the folders of the tree.

use std::collections::{BTreeMap, BTreeSet};

const SECTOR: usize = 2048;

/// The tree of names to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// The primary tree's own identifiers, `;1` taken off.
    Plain,
    /// The primary tree with the names of Rock Ridge.
    RockRidge,
    /// The supplementary tree.
    Joliet,
}

/// Path to content of every file, and the paths of all folders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) folders: BTreeSet<String>,
}

/// Reads all of `image`; panics where it breaks the standard.
pub(crate) fn read(image: &[u8], names: Names) -> Contents {
    let descriptor = descriptor(image, if names == Names::Joliet { 2 } else { 1 });
    assert_eq!(
        both_32(&descriptor[80..88]) as usize * SECTOR,
        image.len(),
        "volume space size"
    );
    let root = Record::parse(&descriptor[156..190]);
    let mut contents = Contents::default();
    let mut extents = BTreeSet::from([root.extent]);
    read_folder(
        image,
        &root,
        root.extent,
        "",
        names,
        &mut contents,
        &mut extents,
    );
    for (table, big_endian) in [(140, false), (148, true)] {
        assert_eq!(path_table(image, descriptor, table, big_endian), extents);
    }
    contents
}

/// The volume label of the primary descriptor, or of the supplementary one.
pub(crate) fn label(image: &[u8], names: Names) -> String {
    match names {
        Names::Plain | Names::RockRidge => {
            String::from_utf8(descriptor(image, 1)[40..72].to_vec()).unwrap()
        }
        Names::Joliet => utf_16(&descriptor(image, 2)[40..72]),
    }
    .trim_end()
    .to_owned()
}

fn descriptor(image: &[u8], kind: u8) -> &[u8] {
    for sector in 16.. {
        let descriptor = &image[sector * SECTOR..][..SECTOR];
        assert_eq!(&descriptor[1..6], b"CD001");
        assert_ne!(descriptor[0], 255, "no descriptor of type {kind}");
        if descriptor[0] == kind {
            return descriptor;
        }
    }
    unreachable!()
}

struct Record<'a> {
    extent: u32,
    length: u32,
    is_folder: bool,
    identifier: &'a [u8],
    system_use: &'a [u8],
}

impl<'a> Record<'a> {
    fn parse(bytes: &'a [u8]) -> Self {
        let identifier_end = 33 + usize::from(bytes[32]);
        let system_use = (identifier_end + 1) & !1;
        Record {
            extent: both_32(&bytes[2..10]),
            length: both_32(&bytes[10..18]),
            is_folder: bytes[25] & 2 != 0,
            identifier: &bytes[33..identifier_end],
            system_use: bytes.get(system_use..).unwrap_or_default(),
        }
    }

    fn data(&self, image: &'a [u8]) -> &'a [u8] {
        if self.length == 0 {
            return &[];
        }
        &image[self.extent as usize * SECTOR..][..self.length as usize]
    }
}

fn read_folder(
    image: &[u8],
    folder: &Record<'_>,
    parent: u32,
    path: &str,
    names: Names,
    contents: &mut Contents,
    extents: &mut BTreeSet<u32>,
) {
    let data = folder.data(image);
    assert_eq!(data.len() % SECTOR, 0, "a folder fills its sectors");
    let mut last = None;
    let mut at = 0;
    let mut index = 0;
    while at < data.len() {
        let length = usize::from(data[at]);
        if length == 0 {
            at = (at / SECTOR + 1) * SECTOR;
            continue;
        }
        assert!(at % SECTOR + length <= SECTOR, "a record crosses sectors");
        let record = Record::parse(&data[at..at + length]);
        at += length;
        index += 1;
        match index {
            1 => assert_eq!(
                (record.identifier, record.extent),
                (&[0][..], folder.extent)
            ),
            2 => assert_eq!((record.identifier, record.extent), (&[1][..], parent)),
            _ => {
                // In d-characters, the order of bytes is the order that ECMA-119 9.3 asks for.
                let is_sorted = last.is_none_or(|last| last < record.identifier);
                assert!(
                    is_sorted || names == Names::Joliet,
                    "records are not sorted"
                );
                last = Some(record.identifier);
                let name = name(image, &record, names);
                let path = if path.is_empty() {
                    name
                } else {
                    format!("{path}/{name}")
                };
                if record.is_folder {
                    assert!(extents.insert(record.extent), "two folders in one place");
                    assert!(
                        contents.folders.insert(path.clone()),
                        "`{path}` is there twice"
                    );
                    read_folder(
                        image,
                        &record,
                        folder.extent,
                        &path,
                        names,
                        contents,
                        extents,
                    );
                } else {
                    let data = record.data(image).to_vec();
                    assert_eq!(
                        contents.files.insert(path.clone(), data),
                        None,
                        "{path} twice"
                    );
                }
            }
        }
    }
}

fn name(image: &[u8], record: &Record<'_>, names: Names) -> String {
    match names {
        Names::Plain => {
            let text = String::from_utf8(record.identifier.to_vec()).unwrap();
            assert_eq!(text.ends_with(";1"), !record.is_folder, "{text}");
            text.trim_end_matches(";1").trim_end_matches('.').to_owned()
        }
        Names::RockRidge => String::from_utf8(alternate_name(image, record.system_use)).unwrap(),
        Names::Joliet => utf_16(record.identifier).trim_end_matches(";1").to_owned(),
    }
}

/// The NM entries of a system use area and of the areas where it continues.
fn alternate_name(image: &[u8], area: &[u8]) -> Vec<u8> {
    let mut name = Vec::new();
    let mut rest = area;
    let mut next: Option<&[u8]> = None;
    loop {
        if rest.len() < 4 {
            match next.take() {
                None => return name,
                Some(area) => rest = area,
            }
            continue;
        }
        let (entry, after) = rest.split_at(usize::from(rest[2]));
        match &entry[..2] {
            b"NM" => name.extend_from_slice(&entry[5..]),
            b"CE" => {
                let at =
                    both_32(&entry[4..12]) as usize * SECTOR + both_32(&entry[12..20]) as usize;
                next = Some(&image[at..][..both_32(&entry[20..28]) as usize]);
            }
            _ => {}
        }
        rest = after;
    }
}

fn path_table(image: &[u8], descriptor: &[u8], at: usize, big_endian: bool) -> BTreeSet<u32> {
    let four = |bytes: &[u8]| {
        let bytes: [u8; 4] = bytes[..4].try_into().unwrap();
        if big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    };
    let size = both_32(&descriptor[132..140]) as usize;
    let mut rest = &image[four(&descriptor[at..]) as usize * SECTOR..][..size];
    let mut extents = BTreeSet::new();
    while !rest.is_empty() {
        let identifier = usize::from(rest[0]);
        assert!(
            extents.insert(four(&rest[2..])),
            "a folder is twice in the path table"
        );
        rest = &rest[8 + identifier + identifier % 2..];
    }
    extents
}

fn both_32(bytes: &[u8]) -> u32 {
    let little = u32::from_le_bytes(bytes[..4].try_into().unwrap());
    let big = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
    assert_eq!(little, big, "the two byte orders disagree");
    little
}

fn utf_16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    String::from_utf16(&units.collect::<Vec<_>>()).unwrap()
}
