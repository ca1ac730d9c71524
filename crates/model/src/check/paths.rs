//! Paths that leave the lab's folder.
//!
//! This looks at the words only. Whoever opens the files also resolves symbolic links and stays
//! in the folder.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::format::shown;
use crate::lab::{Lab, Node, StartupConfig};
use crate::span::Span;
use crate::spec::ImageSpec;

pub(super) const RULE: Rule = Rule {
    title: "paths that leave the lab's folder",
    check,
};

fn check(lab: &Lab, _: &Facts, found: &mut Diagnostics) {
    let of_impairments = lab.impairment_files();
    let of_impairments = of_impairments.map(|file| (file.path.as_str(), file.span));
    let of_nodes = lab.nodes.iter().flat_map(files);
    for (path, span) in of_nodes.chain(of_impairments) {
        if path.starts_with('/') || climbs(path) {
            let help = "put the file beside the lab file or below it";
            found.push(unsafe_path(path, span).help(help));
        }
    }
    for node in &lab.nodes {
        // Images are large and may lie anywhere, if the whole path says so.
        for (image, span) in node.images() {
            if let ImageSpec::Path(path) = image
                && !path.starts_with('/')
                && climbs(path)
            {
                found.push(unsafe_path(path, span).help(
                    "put the image below the lab file, give its absolute path, or add it to the image store",
                ));
            }
        }
    }
}

/// The files that a node names, but for its image.
pub(super) fn files(node: &Node) -> impl Iterator<Item = (&str, Span)> {
    let config = match &node.startup_config {
        Some(StartupConfig::File(path, span)) => Some((path.as_str(), *span)),
        Some(StartupConfig::Inline(_)) | None => None,
    };
    let media = [&node.config_medium, &node.cdrom];
    let media = media
        .into_iter()
        .flatten()
        .map(|(path, span)| (path.as_str(), *span));
    config.into_iter().chain(media)
}

/// Whether a path has a part that goes up, or a character that no path of ours has.
fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..") || path.contains('\0')
}

fn unsafe_path(path: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        code::UNSAFE_PATH,
        format!("`{}` leaves the lab's folder", shown(path)),
    )
    .at(span, "not below the lab file")
}

#[cfg(test)]
mod tests {
    use super::climbs;

    #[test]
    fn only_whole_parts_climb() {
        assert!(climbs("../x") && climbs("a/../../x") && climbs(".."));
        assert!(!climbs("a..b/...") && !climbs("./x"));
    }
}
