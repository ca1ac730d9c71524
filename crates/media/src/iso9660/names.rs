//! The names under which files and folders are stored.
//!
//! Plain rules fold a name to ECMA-119's d-characters as `mkisofs` does: letters to upper case,
//! every dot but the last and all else in ASCII to `_`. The `;1` at the end of a file's name and
//! the dot of a name without one are the layout's business, not this module's.
//!
//! Invariant: what [`steps`] returns can be stored as it is. Nothing is cut.

use super::{IsoError, MAX_FOLDERS, MAX_JOLIET_NAME_CHARS, MAX_PATH_BYTES, NameRules};

/// The longest name of a level 1 file before its dot, and of a level 1 folder.
const LEVEL_1_BASE_CHARS: usize = 8;
/// The longest name of a level 1 file after its dot.
const LEVEL_1_EXTENSION_CHARS: usize = 3;
/// The longest plain file name, its dot counted. ECMA-119 7.5.1 does not count the dot, but the
/// layout does.
const LONG_FILE_CHARS: usize = 30;
/// The longest plain folder name (ECMA-119 7.6.3).
const LONG_FOLDER_CHARS: usize = 31;

/// One file, or one folder on the way to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step<'a> {
    /// The path as given, up to this step.
    pub(super) given: &'a str,
    /// The path as stored, up to this step.
    pub(super) stored: String,
    /// Whether this is the file itself, hence the last step.
    pub(super) is_file: bool,
}

/// The folders of `path` from the outermost, then the file.
pub(super) fn steps(path: &str, rules: NameRules) -> Result<Vec<Step<'_>>, IsoError> {
    let folders = path.matches('/').count();
    if folders > MAX_FOLDERS {
        return Err(IsoError::TooDeep {
            path: path.to_owned(),
            folders,
        });
    }
    let mut steps = Vec::with_capacity(folders + 1);
    let mut stored = String::new();
    let mut end = 0;
    for (depth, name) in path.split('/').enumerate() {
        let is_file = depth == folders;
        check_shape(path, name)?;
        if depth > 0 {
            stored.push('/');
            end += 1;
        }
        end += name.len();
        stored.push_str(&stored_name(path, name, is_file, rules)?);
        steps.push(Step {
            given: &path[..end],
            stored: stored.clone(),
            is_file,
        });
    }
    if stored.len() > MAX_PATH_BYTES {
        return Err(IsoError::PathTooLong {
            path: path.to_owned(),
            bytes: stored.len(),
        });
    }
    Ok(steps)
}

fn check_shape(path: &str, name: &str) -> Result<(), IsoError> {
    match name {
        "" => Err(IsoError::NameEmpty {
            path: path.to_owned(),
        }),
        "." | ".." => Err(IsoError::NameReserved {
            path: path.to_owned(),
            name: name.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn stored_name(
    path: &str,
    name: &str,
    is_file: bool,
    rules: NameRules,
) -> Result<String, IsoError> {
    match rules {
        NameRules::RockRidgeJoliet => exact_name(path, name),
        NameRules::Level1 | NameRules::LongPlain if is_file => plain_file(path, name, rules),
        NameRules::Level1 | NameRules::LongPlain => plain_folder(path, name, rules),
    }
}

/// The name itself, if Joliet can store it: Rock Ridge then can too.
fn exact_name(path: &str, name: &str) -> Result<String, IsoError> {
    let storable = |c: char| {
        !c.is_control() && u32::from(c) <= 0xFFFF && !matches!(c, '*' | ':' | ';' | '?' | '\\')
    };
    check_characters(path, name, storable)?;
    if name.chars().count() > MAX_JOLIET_NAME_CHARS {
        return Err(too_long(path, name, "64 characters"));
    }
    Ok(name.to_owned())
}

fn plain_file(path: &str, name: &str, rules: NameRules) -> Result<String, IsoError> {
    check_characters(path, name, is_foldable)?;
    let (base, extension) = match name.rsplit_once('.') {
        // A name that begins with its only dot has no base; `mkisofs` makes the dot a `_` too.
        None | Some(("", _)) => (fold(name), String::new()),
        Some((base, extension)) => (fold(base), fold(extension)),
    };
    let dot = usize::from(!extension.is_empty());
    match rules {
        NameRules::Level1
            if base.len() > LEVEL_1_BASE_CHARS || extension.len() > LEVEL_1_EXTENSION_CHARS =>
        {
            Err(too_long(path, name, "8 characters, a dot and 3 more"))
        }
        _ if base.len() + dot + extension.len() > LONG_FILE_CHARS => {
            Err(too_long(path, name, "30 characters"))
        }
        _ if extension.is_empty() => Ok(base),
        _ => Ok(format!("{base}.{extension}")),
    }
}

fn plain_folder(path: &str, name: &str, rules: NameRules) -> Result<String, IsoError> {
    check_characters(path, name, is_foldable)?;
    match rules {
        NameRules::Level1 if name.len() > LEVEL_1_BASE_CHARS => {
            Err(too_long(path, name, "8 characters for a folder"))
        }
        _ if name.len() > LONG_FOLDER_CHARS => {
            Err(too_long(path, name, "31 characters for a folder"))
        }
        _ => Ok(fold(name)),
    }
}

/// Whether `mkisofs` folds `c` too, so that the guest's maker can have meant it.
fn is_foldable(c: char) -> bool {
    c.is_ascii() && !c.is_ascii_control()
}

/// ASCII text as d-characters, one for one.
fn fold(text: &str) -> String {
    let fold_one = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    text.chars().map(fold_one).collect()
}

fn check_characters(path: &str, name: &str, allowed: fn(char) -> bool) -> Result<(), IsoError> {
    match name.chars().find(|&c| !allowed(c)) {
        None => Ok(()),
        Some(character) => Err(IsoError::NameIllegal {
            path: path.to_owned(),
            character,
        }),
    }
}

fn too_long(path: &str, name: &str, limit: &'static str) -> IsoError {
    IsoError::NameTooLong {
        path: path.to_owned(),
        name: name.to_owned(),
        limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(path: &str, rules: NameRules) -> String {
        steps(path, rules).unwrap().pop().unwrap().stored
    }

    #[test]
    fn plain_names_are_folded_as_mkisofs_folds_them() {
        for (given, expected) in [
            ("iosxe_config.txt", "IOSXE_CONFIG.TXT"),
            ("day0-config", "DAY0_CONFIG"),
            ("a.tar.gz", "A_TAR.GZ"),
            (".profile", "_PROFILE"),
            ("e.", "E"),
            ("e..", "E_"),
            ("sp ace+x~.t-t", "SP_ACE_X_.T_T"),
            ("v1.2/init-cfg.txt", "V1_2/INIT_CFG.TXT"),
        ] {
            assert_eq!(stored(given, NameRules::LongPlain), expected, "{given}");
        }
    }

    #[test]
    fn exact_names_stay_as_they_are() {
        for name in [
            "user-data",
            "Grüße.TXT",
            ".profile",
            "a b~c",
            "openstack/latest/user_data",
        ] {
            assert_eq!(stored(name, NameRules::RockRidgeJoliet), name);
        }
    }

    #[test]
    fn a_path_yields_its_folders_outermost_first() {
        let steps = steps("openstack/latest/user_data", NameRules::LongPlain).unwrap();
        let given: Vec<_> = steps
            .iter()
            .map(|step| (step.given, step.is_file))
            .collect();
        assert_eq!(
            given,
            [
                ("openstack", false),
                ("openstack/latest", false),
                ("openstack/latest/user_data", true)
            ]
        );
    }

    #[test]
    fn a_name_of_the_longest_length_is_stored_and_one_more_is_refused() {
        for (rules, folder, base, extension) in [
            (NameRules::Level1, 8, 8, 3),
            (NameRules::LongPlain, 31, 26, 3),
            (NameRules::RockRidgeJoliet, 64, 60, 3),
        ] {
            let path = |folder: usize, base: usize, extension: usize| {
                format!(
                    "{}/{}.{}",
                    "f".repeat(folder),
                    "b".repeat(base),
                    "e".repeat(extension)
                )
            };
            assert!(
                steps(&path(folder, base, extension), rules).is_ok(),
                "{rules:?}"
            );
            for longer in [
                path(folder + 1, base, extension),
                path(folder, base + 1, extension),
                path(folder, base, extension + 1),
            ] {
                let error = steps(&longer, rules).unwrap_err();
                assert!(
                    matches!(error, IsoError::NameTooLong { .. }),
                    "{rules:?} {error}"
                );
            }
        }
    }

    #[test]
    fn paths_that_are_no_relative_paths_are_refused() {
        for path in ["", "/", "/a", "a/", "a//b"] {
            let error = steps(path, NameRules::RockRidgeJoliet).unwrap_err();
            assert!(
                matches!(error, IsoError::NameEmpty { .. }),
                "{path} {error}"
            );
        }
        for path in [".", "..", "a/../b", "./a"] {
            let error = steps(path, NameRules::RockRidgeJoliet).unwrap_err();
            assert!(
                matches!(error, IsoError::NameReserved { .. }),
                "{path} {error}"
            );
        }
    }

    #[test]
    fn characters_that_cannot_be_stored_are_refused() {
        for (path, rules, bad) in [
            ("grüße", NameRules::LongPlain, 'ü'),
            ("grüße", NameRules::Level1, 'ü'),
            ("a\nb", NameRules::LongPlain, '\n'),
            ("a\0b", NameRules::RockRidgeJoliet, '\0'),
            ("a:b", NameRules::RockRidgeJoliet, ':'),
            ("a\\b", NameRules::RockRidgeJoliet, '\\'),
            ("😀", NameRules::RockRidgeJoliet, '😀'),
        ] {
            match steps(path, rules).unwrap_err() {
                IsoError::NameIllegal { character, .. } => assert_eq!(character, bad),
                other => panic!("{path:?}: {other}"),
            }
        }
    }

    #[test]
    fn seven_folders_are_stored_and_eight_are_refused() {
        assert!(steps("1/2/3/4/5/6/7/f", NameRules::LongPlain).is_ok());
        let error = steps("1/2/3/4/5/6/7/8/f", NameRules::RockRidgeJoliet).unwrap_err();
        assert!(
            matches!(error, IsoError::TooDeep { folders: 8, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_path_over_255_bytes_is_refused() {
        let path = [&"f".repeat(64) as &str; 4].join("/");
        let error = steps(&path, NameRules::RockRidgeJoliet).unwrap_err();
        assert!(
            matches!(error, IsoError::PathTooLong { bytes: 259, .. }),
            "{error}"
        );
    }
}
