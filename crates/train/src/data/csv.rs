//! Lists as comma-separated values: a header, then rows; fields may stand in double quotes.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DataError, io_error};

/// A list that was read. Field names and fields are trimmed.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
}

/// A row of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'t> {
    table: &'t Table,
    line: usize,
    fields: &'t [String],
}

impl Table {
    /// Reads a file whose header has at least the columns `required`, and otherwise only `optional`
    /// ones, or any when `optional` is `None`.
    ///
    /// # Errors
    /// [`DataError`] with the line.
    pub fn read(
        path: &Path,
        required: &[&str],
        optional: Option<&[&str]>,
    ) -> Result<Self, DataError> {
        let text = fs::read_to_string(path).map_err(io_error("read the list", path))?;
        let mut table = Self { path: path.to_owned(), header: Vec::new(), rows: Vec::new() };
        for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line_number = i + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let fields = fields(line).ok_or_else(|| {
                table.error(line_number, "a double quote is not closed on its line".into())
            })?;
            if table.header.is_empty() {
                table.header = fields;
                table.check_header(line_number, required, optional)?;
            } else if fields.len() == table.header.len() {
                table.rows.push((line_number, fields));
            } else {
                let problem = format!(
                    "has {} fields, the header has {}: put fields that hold a comma in double quotes",
                    fields.len(),
                    table.header.len()
                );
                return Err(table.error(line_number, problem));
            }
        }
        if table.rows.is_empty() {
            let problem = format!("the list is empty: give the header `{}` and rows", required.join(","));
            return Err(DataError::Content { path: path.to_owned(), problem });
        }
        Ok(table)
    }

    fn check_header(
        &self,
        line: usize,
        required: &[&str],
        optional: Option<&[&str]>,
    ) -> Result<(), DataError> {
        for name in required {
            if !self.header.iter().any(|h| h == name) {
                let problem = format!(
                    "the header has no column `{name}`: it must have `{}`",
                    required.join(",")
                );
                return Err(self.error(line, problem));
            }
        }
        for (i, name) in self.header.iter().enumerate() {
            if self.header[..i].contains(name) {
                return Err(self.error(line, format!("the column `{name}` is there twice")));
            }
            if let Some(optional) = optional
                && !required.contains(&name.as_str())
                && !optional.contains(&name.as_str())
            {
                let problem = format!(
                    "there is no column `{name}`: beside `{}` there may be `{}`",
                    required.join(","),
                    optional.join(",")
                );
                return Err(self.error(line, problem));
            }
        }
        Ok(())
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, fields)| Row { table: self, line: *line, fields })
    }

    fn error(&self, line: usize, problem: String) -> DataError {
        DataError::Line { path: self.path.clone(), line, problem }
    }
}

impl Row<'_> {
    /// A column's field; empty when the list has no such column.
    pub fn get(&self, column: &str) -> &str {
        let at = self.table.header.iter().position(|h| h == column);
        at.and_then(|i| self.fields.get(i)).map_or("", String::as_str)
    }

    /// Joins the row's place and a problem.
    pub fn error(&self, problem: impl Into<String>) -> DataError {
        self.table.error(self.line, problem.into())
    }
}

/// The fields of a line; `None` when a quote stays open.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut()?;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.trim().is_empty() => {
                field.clear();
                quoted = true;
            }
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    (!quoted).then(|| fields.into_iter().map(|f| f.trim().to_owned()).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas_and_quotes() {
        let expect = |line: &str, want: &[&str]| assert_eq!(fields(line).unwrap(), want, "{line}");
        expect("a, b ,c", &["a", "b", "c"]);
        expect("\"a,b\",, \"say \"\"x\"\"\"", &["a,b", "", "say \"x\""]);
        assert!(fields("a,\"b").is_none());
    }

    #[test]
    fn a_wrong_list_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        for (text, says) in [
            ("", "the list is empty"),
            ("path,label\n", "line 1: the header has no column `patient`"),
            ("path,patient,path\nx,y,z\n", "`path` is there twice"),
            ("path,patient,age\nx,y,3\n", "no column `age`"),
            ("path,patient\n\nx\n", "line 3: has 1 fields, the header has 2"),
            ("path,patient\nx,\"y\n", "line 2: a double quote"),
        ] {
            fs::write(&path, text).unwrap();
            let why = Table::read(&path, &["path", "patient"], Some(&["label"])).unwrap_err();
            assert!(why.to_string().contains(says), "{text:?}: {why}");
        }
        fs::remove_file(&path).unwrap();
        let why = Table::read(&path, &[], None).unwrap_err().to_string();
        assert!(why.contains("cannot read the list") && why.contains("list.csv"), "{why}");
    }
}
