//! Writes a file tree as a "newc" cpio archive, the format of an initramfs.
//!
//! The format is described in the kernel's `Documentation/driver-api/early-userspace/
//! buffer-format.rst`. Inode numbers count up from one and all times are [`crate::EPOCH_SECONDS`],
//! so equal trees give equal bytes.

use crate::tree::{Content, Entry, FileTree, ROOT};

/// The archive's bytes.
pub(crate) fn archive(tree: &FileTree) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, (path, entry)) in tree.iter().enumerate() {
        append(&mut bytes, index + 1, path, entry);
    }
    let trailer = Entry {
        mode: 0,
        owner: ROOT,
        content: Content::File(Vec::new()),
    };
    append(&mut bytes, 0, "TRAILER!!!", &trailer);
    bytes
}

fn append(bytes: &mut Vec<u8>, inode: usize, path: &str, entry: &Entry) {
    let (kind, links, data): (u32, u32, &[u8]) = match &entry.content {
        Content::Directory => (0o040_000, 2, &[]),
        Content::File(data) => (0o100_000, 1, data),
        Content::Symlink(target) => (0o120_000, 1, target.as_bytes()),
    };
    let fields = [
        inode,
        (kind | entry.mode) as usize,
        entry.owner.uid as usize,
        entry.owner.gid as usize,
        links as usize,
        crate::EPOCH_SECONDS as usize,
        data.len(),
        0,
        0,
        0,
        0,
        path.len() + 1,
        0,
    ];
    bytes.extend_from_slice(b"070701");
    for field in fields {
        bytes.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    bytes.extend_from_slice(path.as_bytes());
    bytes.push(0);
    pad_to_four(bytes);
    bytes.extend_from_slice(data);
    pad_to_four(bytes);
}

fn pad_to_four(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_data_are_aligned_and_end_with_the_trailer() {
        let mut tree = FileTree::default();
        tree.add_file("/init", 0o755, b"hello".to_vec());
        let bytes = archive(&tree);
        assert_eq!(&bytes[..14], b"07070100000001");
        assert_eq!(&bytes[14..22], b"000081ed");
        assert_eq!(&bytes[110..115], b"init\0");
        assert_eq!(&bytes[116..121], b"hello");
        assert_eq!(&bytes[124..130], b"070701");
        assert!(bytes.windows(10).any(|window| window == b"TRAILER!!!"));
        assert_eq!(bytes.len() % 4, 0);
    }
}
