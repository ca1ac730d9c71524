//! Puts files of the host on an ISO image, to try one by hand:
//!
//! ```console
//! $ cargo run -p vnflab-media --example iso -- OUT.iso LABEL FILE...
//! ```
//!
//! Names are stored exactly (Rock Ridge and Joliet) if the label is `cidata`, else plain.

use std::error::Error;
use std::path::Path;

use vnflab_media::MediaFile;
use vnflab_media::iso9660::{self, IsoRequest, NameRules};
use vnflab_media::nocloud::VOLUME_LABEL;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(out), Some(label)) = (arguments.next(), arguments.next()) else {
        return Err("usage: iso OUT.iso LABEL FILE...".into());
    };
    let files = arguments
        .map(|path| read(Path::new(&path)))
        .collect::<Result<Vec<_>, _>>()?;
    let names = if label == VOLUME_LABEL {
        NameRules::RockRidgeJoliet
    } else {
        NameRules::LongPlain
    };
    let image = iso9660::build(&IsoRequest {
        volume_label: &label,
        files: &files,
        names,
    })?;
    std::fs::write(&out, image)?;
    Ok(())
}

fn read(path: &Path) -> Result<MediaFile, Box<dyn Error>> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| format!("`{}` has no file name in UTF-8", path.display()))?;
    let content = std::fs::read(path).map_err(|e| format!("`{}`: {e}", path.display()))?;
    Ok(MediaFile::new(name, content))
}
