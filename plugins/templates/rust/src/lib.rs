#[path = "../sdk/lib.rs"]
mod exoarmur;

use exoarmur::{executor, fs, object, Outcome, Parameters};

executor! { greet, count }

/// {name} -> {greeting}
fn greet(parameters: &mut Parameters) -> Outcome {
    let name = parameters.text("name")?;
    parameters.finish()?;

    Ok(object([("greeting", format!("Hello, {name}!").into())]))
}

/// {path} -> {bytes, lines}: the size of a file and how many line ends it has
fn count(parameters: &mut Parameters) -> Outcome {
    let path = parameters.text("path")?;
    parameters.finish()?;

    let file = fs::read(&path)?;
    let lines = file.bytes.iter().filter(|byte| **byte == b'\n').count();
    Ok(object([("bytes", file.size.into()), ("lines", lines.into())]))
}
