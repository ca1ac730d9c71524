//! ISO 9660 images (ECMA-119) of a few files, as bytes.
//!
//! # Theory of operation
//!
//! [`build`] checks the request against the limits below, works out the name under which each
//! file is stored (the private module `names`), and hands the tree to the `hadris-iso` crate,
//! which lays out descriptors, path tables, directories and data. That crate is named nowhere
//! else. It is pinned to one version because the release that reads no clock is a candidate yet.
//!
//! For example, `iosxe_config.txt` under [`NameRules::LongPlain`] is stored as
//! `IOSXE_CONFIG.TXT;1`, the name that `mkisofs -l` gives it.
//!
//! This module is not a reader and makes no bootable media.
//!
//! Invariant: a file is stored under the name that [`NameRules`] promises, or the build fails.
//! No name is cut or numbered to make it fit, since the guest looks for one exact name and would
//! start unconfigured, without a word, if it were another.
//!
//! All timestamps are 1980-01-01T00:00:00Z, owners are 0:0, and under Rock Ridge files have the
//! mode 0444 and folders 0555, as on a pressed disc.

mod names;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hadris_fs::{
    Content, NoClock, Node, Owner, PathError, Permissions, SetAttr, Tree, Warning, WarningKind,
};
use hadris_iso::{IsoId, IsoLevel, IsoOptions, Relocation};

use crate::MediaFile;

/// The most files on one image. The largest known day-0 tree, a PAN-OS bootstrap, has a few dozen.
pub const MAX_FILES: usize = 1024;

/// The most bytes in one file: 128 MiB. Images are built in memory; configurations and licences
/// take kilobytes, and only a software package comes near.
pub const MAX_FILE_BYTES: usize = 128 * 1024 * 1024;

/// The most bytes in all files of an image together: 256 MiB. Images are built in memory, and
/// building takes about three times this size.
pub const MAX_TOTAL_BYTES: usize = 256 * 1024 * 1024;

/// The most folders above a file. ECMA-119 6.8.2.1 allows eight levels and the root is the first.
pub const MAX_FOLDERS: usize = 7;

/// The most bytes in the path of a file as it is stored (ECMA-119 6.8.2.1).
pub const MAX_PATH_BYTES: usize = 255;

/// The most characters in a volume label: the descriptor's field has 32 bytes (ECMA-119 8.4.7).
pub const MAX_LABEL_CHARS: usize = 32;

/// The most characters in a volume label with Joliet, which stores it as UCS-2 in the same field.
pub const MAX_JOLIET_LABEL_CHARS: usize = 16;

/// The most characters in a file or folder name with Joliet.
pub const MAX_JOLIET_NAME_CHARS: usize = 64;

/// What the descriptor names as the image's maker.
const APPLICATION: &str = "VNFLAB";

/// How names are stored on the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameRules {
    /// ISO 9660 level 1: upper case, eight characters, a dot and three more. For readers that
    /// know nothing else.
    Level1,
    /// Upper case, up to 30 characters with the dot, and no extensions; what `mkisofs -l` gives.
    /// IOS-XE, IOS-XR and NX-OS read it.
    LongPlain,
    /// Exact names through both Rock Ridge and Joliet, as `mkisofs -J -r` gives. Linux, the BSDs
    /// and cloud-init read it. The plain names beneath are of no account.
    RockRidgeJoliet,
}

/// What to put on an image.
#[derive(Debug, Clone, Copy)]
pub struct IsoRequest<'a> {
    /// The volume label, such as `cidata`: letters, digits, `_`, `-` and `.`, from 1 to
    /// [`MAX_LABEL_CHARS`] of them, or to [`MAX_JOLIET_LABEL_CHARS`] with Joliet. It is stored as
    /// it is, in lower case too, because cloud-init and others look for it so.
    pub volume_label: &'a str,
    /// The files, in any order: the order does not change the image. There may be none.
    pub files: &'a [MediaFile],
    /// How their names are stored.
    pub names: NameRules,
}

/// Why an image could not be made. Nothing here depends on the host.
#[derive(Debug, thiserror::Error)]
pub enum IsoError {
    /// The volume label is empty.
    #[error("the volume label is empty")]
    LabelEmpty,
    /// The volume label does not fit its field.
    #[error("volume label `{label}` has {chars} characters, the most is {max_chars}")]
    LabelTooLong {
        /// The label as given.
        label: String,
        /// Its length in characters.
        chars: usize,
        /// The most that these name rules allow.
        max_chars: usize,
    },
    /// The volume label has a character other than ASCII letters, digits, `_`, `-` and `.`.
    #[error("volume label `{label}` has the character {character:?}, which a label cannot have")]
    LabelIllegal {
        /// The label as given.
        label: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// There are more than [`MAX_FILES`] files.
    #[error("{count} files, the most on one image is {MAX_FILES}")]
    TooManyFiles {
        /// How many were given.
        count: usize,
    },
    /// A file has more than [`MAX_FILE_BYTES`] bytes.
    #[error("`{path}` has {bytes} bytes, the most in one file is {MAX_FILE_BYTES}")]
    FileTooLarge {
        /// The file's path as given.
        path: String,
        /// Its size in bytes.
        bytes: usize,
    },
    /// The files have more than [`MAX_TOTAL_BYTES`] bytes together.
    #[error("the files have {bytes} bytes together, the most on one image is {MAX_TOTAL_BYTES}")]
    TotalTooLarge {
        /// Their size in bytes.
        bytes: usize,
    },
    /// A path has an empty part: it is empty, or starts or ends with `/`, or has `//`.
    #[error("`{path}` is not a relative path of file and folder names")]
    NameEmpty {
        /// The path as given.
        path: String,
    },
    /// A file or folder is called `.` or `..`.
    #[error("`{path}` leads through `{name}`, expected the names of files and folders only")]
    NameReserved {
        /// The path as given.
        path: String,
        /// `.` or `..`.
        name: String,
    },
    /// A name has a character that these rules can neither store nor turn into `_`.
    #[error("`{path}` has the character {character:?}, which cannot be stored under these rules")]
    NameIllegal {
        /// The path as given.
        path: String,
        /// The first character that cannot be stored.
        character: char,
    },
    /// A name would have to be cut.
    #[error("`{name}` in `{path}` is too long, the most is {limit}")]
    NameTooLong {
        /// The path as given.
        path: String,
        /// The part of it that is too long.
        name: String,
        /// The limit in words, such as "8 characters, a dot and 3 more".
        limit: &'static str,
    },
    /// A path has more than [`MAX_FOLDERS`] folders.
    #[error("`{path}` is {folders} folders deep, the most is {MAX_FOLDERS}")]
    TooDeep {
        /// The path as given.
        path: String,
        /// How many folders are above the file.
        folders: usize,
    },
    /// A path has more than [`MAX_PATH_BYTES`] bytes.
    #[error("`{path}` has {bytes} bytes as it is stored, the most is {MAX_PATH_BYTES}")]
    PathTooLong {
        /// The path as given.
        path: String,
        /// The bytes of the path as stored.
        bytes: usize,
    },
    /// Two files, or a file and a folder, or two folders spelt differently, would have one name,
    /// or names that differ only in case.
    #[error("`{first}` and `{second}` would both be stored as `{stored}`")]
    DuplicateName {
        /// The file or folder that came first.
        first: String,
        /// The one that came after.
        second: String,
        /// The stored path that both claim.
        stored: String,
    },
    /// The layout stored a name otherwise than it was told to. This guards the invariant of the
    /// module; no input is known that leads here.
    #[error("`{path}` would be stored under another name, `{stored}`")]
    NameChanged {
        /// The path that was to be stored.
        path: String,
        /// The name that would have been written.
        stored: String,
    },
    /// The image could not be laid out. The checks above leave no known input that leads here but
    /// the lack of memory.
    #[error("the image could not be laid out")]
    Layout {
        /// What the layout says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Makes the image that `request` describes.
///
/// The size is a multiple of 2048 bytes and never under 346 KiB, since 150 empty sectors follow
/// the data as old drives' read-ahead wants them.
///
/// # Errors
///
/// Every limit and rule has its own [`IsoError`]; the first that is broken is returned.
pub fn build(request: &IsoRequest<'_>) -> Result<Vec<u8>, IsoError> {
    check_label(request.volume_label, request.names)?;
    check_sizes(request.files)?;
    let placed = place(request.files, request.names)?;
    let tree = tree_of(&placed, request.names)?;
    lay_out(&tree, request.volume_label, request.names)
}

fn check_label(label: &str, names: NameRules) -> Result<(), IsoError> {
    let max_chars = match names {
        NameRules::Level1 | NameRules::LongPlain => MAX_LABEL_CHARS,
        NameRules::RockRidgeJoliet => MAX_JOLIET_LABEL_CHARS,
    };
    if label.is_empty() {
        return Err(IsoError::LabelEmpty);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if let Some(character) = label.chars().find(|&c| !allowed(c)) {
        return Err(IsoError::LabelIllegal {
            label: label.to_owned(),
            character,
        });
    }
    if label.len() > max_chars {
        return Err(IsoError::LabelTooLong {
            label: label.to_owned(),
            chars: label.len(),
            max_chars,
        });
    }
    Ok(())
}

fn check_sizes(files: &[MediaFile]) -> Result<(), IsoError> {
    if files.len() > MAX_FILES {
        return Err(IsoError::TooManyFiles { count: files.len() });
    }
    if let Some(file) = files
        .iter()
        .find(|file| file.content.len() > MAX_FILE_BYTES)
    {
        return Err(IsoError::FileTooLarge {
            path: file.path.clone(),
            bytes: file.content.len(),
        });
    }
    // At most MAX_FILES * MAX_FILE_BYTES = 2^37, which fits where that much memory does.
    let bytes = files.iter().map(|file| file.content.len()).sum();
    if bytes > MAX_TOTAL_BYTES {
        return Err(IsoError::TotalTooLarge { bytes });
    }
    Ok(())
}

/// What is stored at one path of the image.
struct Placed<'a> {
    /// The path as given, up to and with this file or folder.
    given: &'a str,
    /// The path as stored.
    stored: String,
    /// The bytes of a file; none for a folder.
    content: Option<&'a [u8]>,
}

/// Every file and folder with its stored path, a folder before what is in it.
///
/// Paths are compared without case, since a reader of Joliet names would see but one of two that
/// differ in nothing else.
fn place(files: &[MediaFile], names: NameRules) -> Result<Vec<Placed<'_>>, IsoError> {
    let mut placed: BTreeMap<String, Placed<'_>> = BTreeMap::new();
    for file in files {
        for step in names::steps(&file.path, names)? {
            let content = step.is_file.then_some(file.content.as_slice());
            match placed.entry(step.stored.to_lowercase()) {
                Entry::Vacant(free) => {
                    free.insert(Placed {
                        given: step.given,
                        stored: step.stored,
                        content,
                    });
                }
                Entry::Occupied(taken) => {
                    let other = taken.get();
                    let is_same_folder =
                        content.is_none() && other.content.is_none() && other.given == step.given;
                    if !is_same_folder {
                        return Err(IsoError::DuplicateName {
                            first: other.given.to_owned(),
                            second: step.given.to_owned(),
                            stored: step.stored,
                        });
                    }
                }
            }
        }
    }
    Ok(placed.into_values().collect())
}

fn tree_of(placed: &[Placed<'_>], names: NameRules) -> Result<Tree, IsoError> {
    let mut tree = Tree::new();
    tree.replace("/", node_of(None, names))
        .map_err(layout_error)?;
    for entry in placed {
        tree.insert(&entry.stored, node_of(entry.content, names))
            .map_err(layout_error)?;
    }
    Ok(tree)
}

/// A file, or a folder if there is no content, as it is read on a pressed disc.
fn node_of(content: Option<&[u8]>, names: NameRules) -> Node {
    let (node, mode) = match content {
        Some(content) => (Node::file(Content::bytes(content)), 0o444),
        None => (Node::dir(), 0o555),
    };
    match names {
        NameRules::Level1 | NameRules::LongPlain => node,
        NameRules::RockRidgeJoliet => node.with_attrs(
            SetAttr::new()
                .with_permissions(Permissions::new(mode))
                .with_owner(Owner::new(0, 0)),
        ),
    }
}

fn lay_out(tree: &Tree, label: &str, names: NameRules) -> Result<Vec<u8>, IsoError> {
    let options = IsoOptions::default()
        .with_id(IsoId::Volume, label)
        .with_id(IsoId::Application, APPLICATION)
        .with_time(NoClock::TIME)
        .with_relocation(Relocation::Refuse);
    let options = match names {
        NameRules::Level1 => options.with_level(IsoLevel::L1),
        NameRules::LongPlain => options.with_level(IsoLevel::L2),
        NameRules::RockRidgeJoliet => options
            .with_level(IsoLevel::L2)
            .with_joliet()
            .with_rock_ridge(),
    };
    let size = hadris_iso::plan(tree, &options)
        .map_err(layout_error)?
        .size();
    // The limits keep the size far below what a usize holds; a wrong guess only costs a copy.
    let mut image = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let report = hadris_iso::sync::write(&mut image, tree, &options).map_err(layout_error)?;
    match report
        .warnings()
        .iter()
        .find(|warning| is_renamed(warning, names))
    {
        None => Ok(image),
        Some(warning) => Err(IsoError::NameChanged {
            path: lossy(warning.path()),
            stored: lossy(warning.stored_as()),
        }),
    }
}

/// Whether the layout stored something otherwise than the rules promise.
fn is_renamed(warning: &Warning, names: NameRules) -> bool {
    match warning.kind() {
        // Owners and modes, which plain images do not have, and bootability.
        WarningKind::Dropped(_) | WarningKind::Boot => false,
        // Under Rock Ridge the plain names beneath may differ; the exact ones may not.
        _ => names != NameRules::RockRidgeJoliet || warning.message() != PLAIN_NAME_WARNING,
    }
}

fn lossy(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

/// What the layout calls a name of the primary tree in its warnings.
const PLAIN_NAME_WARNING: &str = "iso 9660 name";

fn layout_error(source: PathError) -> IsoError {
    IsoError::Layout {
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(label: &'a str, files: &'a [MediaFile], names: NameRules) -> IsoRequest<'a> {
        IsoRequest {
            volume_label: label,
            files,
            names,
        }
    }

    fn error(files: &[MediaFile], names: NameRules) -> IsoError {
        build(&request("disk", files, names)).unwrap_err()
    }

    const ALL_RULES: [NameRules; 3] = [
        NameRules::Level1,
        NameRules::LongPlain,
        NameRules::RockRidgeJoliet,
    ];

    #[test]
    fn an_image_has_the_primary_descriptor_where_readers_look() {
        for names in ALL_RULES {
            let image = build(&request("cidata", &[], names)).unwrap();
            assert_eq!(image.len() % 2048, 0);
            assert!(
                image[..16 * 2048].iter().all(|&byte| byte == 0),
                "system area is in use"
            );
            assert_eq!(&image[16 * 2048..][..7], b"\x01CD001\x01");
            assert_eq!(
                &image[16 * 2048 + 40..][..32],
                format!("{:<32}", "cidata").as_bytes()
            );
        }
    }

    #[test]
    fn order_of_files_does_not_change_the_image() {
        let files: Vec<_> = ["b", "a/y", "c", "a/x"]
            .map(|path| MediaFile::new(path, path.as_bytes()))
            .into();
        let reversed: Vec<_> = files.iter().rev().cloned().collect();
        for names in ALL_RULES {
            let image = build(&request("disk", &files, names)).unwrap();
            assert_eq!(image, build(&request("disk", &reversed, names)).unwrap());
        }
    }

    #[test]
    fn labels_out_of_range_are_refused() {
        let longest = "L".repeat(32);
        assert!(build(&request(&longest, &[], NameRules::LongPlain)).is_ok());
        assert!(build(&request(&longest[..16], &[], NameRules::RockRidgeJoliet)).is_ok());
        let label_error = |label: &str, names| build(&request(label, &[], names)).unwrap_err();
        assert!(matches!(
            label_error("", NameRules::Level1),
            IsoError::LabelEmpty
        ));
        assert!(matches!(
            label_error(&"L".repeat(33), NameRules::LongPlain),
            IsoError::LabelTooLong {
                chars: 33,
                max_chars: 32,
                ..
            }
        ));
        assert!(matches!(
            label_error(&longest[..17], NameRules::RockRidgeJoliet),
            IsoError::LabelTooLong {
                chars: 17,
                max_chars: 16,
                ..
            }
        ));
        for (label, bad) in [("a b", ' '), ("größe", 'ö'), ("a/b", '/'), ("a\0", '\0')] {
            match label_error(label, NameRules::LongPlain) {
                IsoError::LabelIllegal { character, .. } => assert_eq!(character, bad),
                other => panic!("{label:?}: {other}"),
            }
        }
    }

    #[test]
    fn names_that_meet_when_stored_are_refused() {
        for (first, second, rules) in [
            ("a", "a", NameRules::RockRidgeJoliet),
            ("a", "A", NameRules::RockRidgeJoliet),
            ("Folder/a", "folder/b", NameRules::RockRidgeJoliet),
            ("a", "a/b", NameRules::RockRidgeJoliet),
            ("a/b", "a", NameRules::RockRidgeJoliet),
            ("a-b", "a_b", NameRules::LongPlain),
            ("a-b/x", "a_b/y", NameRules::LongPlain),
            ("a", "a.", NameRules::LongPlain),
            ("readme", "README", NameRules::Level1),
        ] {
            let files = [MediaFile::new(first, "1"), MediaFile::new(second, "2")];
            let error = error(&files, rules);
            assert!(
                matches!(error, IsoError::DuplicateName { .. }),
                "{first} and {second}: {error}"
            );
        }
    }

    #[test]
    fn files_beyond_the_limits_are_refused() {
        let many: Vec<_> = (0..=MAX_FILES)
            .map(|n| MediaFile::new(format!("f{n}"), ""))
            .collect();
        assert!(build(&request("disk", &many[1..], NameRules::LongPlain)).is_ok());
        assert!(matches!(
            error(&many, NameRules::LongPlain),
            IsoError::TooManyFiles { count: 1025 }
        ));
        let large = [MediaFile::new("large", vec![0; MAX_FILE_BYTES + 1])];
        assert!(matches!(
            error(&large, NameRules::Level1),
            IsoError::FileTooLarge { .. }
        ));
        let total = [
            MediaFile::new("a", vec![0; MAX_FILE_BYTES]),
            MediaFile::new("b", vec![0; MAX_FILE_BYTES]),
            MediaFile::new("c", "1"),
        ];
        assert!(matches!(
            error(&total, NameRules::Level1),
            IsoError::TotalTooLarge { .. }
        ));
    }

    #[test]
    fn messages_name_what_was_found_and_what_is_allowed() {
        let error = error(
            &[MediaFile::new("configuration.txt", "")],
            NameRules::Level1,
        );
        assert_eq!(
            error.to_string(),
            "`configuration.txt` in `configuration.txt` is too long, \
             the most is 8 characters, a dot and 3 more"
        );
    }
}
