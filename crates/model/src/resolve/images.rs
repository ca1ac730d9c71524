//! Which images a node's VMs boot from.

use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::format::shown;
use crate::kind::Kind;
use crate::lab::NodePart;
use crate::span::{Span, Spanned};
use crate::spec::{ImageSpec, ImagesSpec, NodeSpec};

/// The images of a node.
pub(super) struct Images {
    /// Of its main VM.
    pub(super) image: ImageSpec,
    /// Where it is named; the node's place where it is not.
    pub(super) image_span: Span,
    /// Its other VMs.
    pub(super) parts: Vec<NodePart>,
}

/// The images that a node names, else its kind's defaults, else the stored one of the kind's name.
pub(super) fn resolve(spec: &NodeSpec, kind: &Kind, found: &mut Diagnostics) -> Option<Images> {
    let default = kind.default_image.as_ref().unwrap_or(&kind.name);
    let unnamed = |name: &String| (ImageSpec::Stored(name.clone()), spec.name.span);
    let mut main = unnamed(default);
    let parts = kind.parts.iter();
    let mut parts: Vec<NodePart> = parts
        .map(|part| {
            let (image, image_span) = unnamed(&part.default_image);
            NodePart {
                of_kind: part.clone(),
                image,
                image_span,
            }
        })
        .collect();
    let mut is_known = true;
    match spec
        .image
        .as_ref()
        .map(|images| (&images.value, images.span))
    {
        None => {}
        Some((ImagesSpec::Main(image), span)) => main = (image.clone(), span),
        Some((ImagesSpec::OfParts(_), span)) if kind.parts.is_empty() => {
            let message = format!("`{}` is one VM, with one image", shown(&spec.name.value));
            found.push(
                Diagnostic::error(code::UNKNOWN_PART, message)
                    .at(span, format!("the kind `{}` has no parts", kind.name))
                    .help("write the image itself: `image: NAME`"),
            );
            return None;
        }
        Some((ImagesSpec::OfParts(images), _)) => {
            for (name, image) in images {
                let given = (image.value.clone(), image.span);
                let is_main = kind.main_part.as_deref();
                if is_main.is_some_and(|main| main.eq_ignore_ascii_case(name)) {
                    main = given;
                } else if let Some(part) = kind.part(name) {
                    (parts[part].image, parts[part].image_span) = given;
                } else {
                    found.push(unknown(spec, kind, name));
                    is_known = false;
                }
            }
        }
    }
    let (image, image_span) = main;
    is_known.then_some(Images {
        image,
        image_span,
        parts,
    })
}

fn unknown(spec: &NodeSpec, kind: &Kind, name: &Spanned<String>) -> Diagnostic {
    let message = format!(
        "`{}` has no part `{}`",
        shown(&spec.name.value),
        shown(&name.value)
    );
    let diagnostic = Diagnostic::error(code::UNKNOWN_PART, message)
        .at(name.span, format!("not a part of the kind `{}`", kind.name));
    match nearest(name, kind.part_names()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => {
            let names: Vec<String> = kind.part_names().map(|name| format!("`{name}`")).collect();
            diagnostic.help(format!("its parts are {}", names.join(", ")))
        }
    }
}
