//! `vnflab capture`: shows or writes the frames of a link, a segment or an end.

mod files;
pub(crate) mod pump;

use super::link::{self, find};
use crate::cli::Global;
use crate::cli::capture::CaptureArgs;
use crate::error::{CommandError, ErrorKind};
use crate::render::capture::Lines;
use crate::render::{self, Screen};
use files::{Files, Rotation};
use pump::{End, Limits, StreamSink, Totals, pump};
use std::io::{self, IsTerminal};
use std::path::Path;
use vnflab_wire::control::protocol::CaptureRequest;
use vnflab_wire::control::{CaptureStream, Client, ClientError};

pub(super) fn run(
    global: &Global,
    arguments: &CaptureArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let to_stdout = arguments.file.as_deref() == Some(Path::new("-"));
    check(arguments, to_stdout)?;
    let limits = Limits::listen(arguments.count.map(u64::from), arguments.duration)?;
    let running = link::open(global, &arguments.lab)?;
    let request = CaptureRequest {
        what: running.end_name(&arguments.what),
        filter: arguments.filter.clone(),
        snap_length: arguments.snaplen,
    };
    let mut stream = begin(running.client, request)?;
    let mut totals = Totals::default();
    let Some(path) = &arguments.file else {
        let ended = pump(&mut stream, &limits, &mut Lines::new(screen), &mut totals);
        render::capture::summary(screen, &totals, &[]);
        return tell_end(screen, ended?);
    };
    if to_stdout {
        let mut sink = StreamSink::new(io::stdout());
        let ended = pump(&mut stream, &limits, &mut sink, &mut totals);
        render::capture::summary(screen, &totals, &[]);
        return tell_end(screen, ended?);
    }
    let rotation = match (arguments.rotate_size, arguments.rotate_time) {
        (Some(bytes), _) => Rotation::Bytes(bytes),
        (None, Some(time)) => Rotation::Time(time),
        (None, None) => Rotation::Never,
    };
    let mut sink = Files::new(path, rotation, arguments.files)?;
    let ended = pump(&mut stream, &limits, &mut sink, &mut totals);
    render::capture::summary(screen, &totals, sink.paths());
    let ended = ended?;
    render::capture::written(screen, &totals, sink.paths())?;
    tell_end(screen, ended)
}

fn check(arguments: &CaptureArgs, to_stdout: bool) -> Result<(), CommandError> {
    if to_stdout && io::stdout().is_terminal() {
        return Err(CommandError::new(
            ErrorKind::Usage,
            "pcapng is not for terminals: lead stdout into a file or a pipe",
        )
        .hint("Without `-w` each frame is shown as a line."));
    }
    let rotates = arguments.rotate_size.is_some() || arguments.rotate_time.is_some();
    if to_stdout && rotates {
        let message = "stdout cannot be parted into files";
        return Err(CommandError::new(ErrorKind::Usage, message).hint("Give `-w` a file."));
    }
    if arguments.files.is_some() && !rotates {
        let message = "without `--rotate-size` or `--rotate-time` there is one file";
        return Err(CommandError::new(ErrorKind::Usage, message));
    }
    Ok(())
}

/// Asks a wire for a capture.
pub(super) fn begin(
    mut client: Client,
    request: CaptureRequest,
) -> Result<CaptureStream, CommandError> {
    let config = client.config()?;
    if !config.ends.contains_key(&request.what) {
        find(&config, &request.what)?;
    }
    client.capture(request).map_err(|error| match error {
        ClientError::Refused(reason) => CommandError::new(ErrorKind::Usage, reason),
        error => error.into(),
    })
}

fn tell_end(screen: &Screen, end: End) -> Result<(), CommandError> {
    match end {
        End::Asked => Ok(()),
        End::WireStopped => {
            screen.say("The lab's wire was stopped.");
            Ok(())
        }
        End::WireBroke => Err(CommandError::new(
            ErrorKind::Failed,
            "the wire broke off; what it had captured so far was written",
        )),
    }
}
