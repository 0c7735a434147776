use tiberius::{ColumnData, Row};

/// The column's text, `None` for NULL. Fails for what is neither text nor number nor truth.
pub(in crate::provider) fn text(row: &Row, index: usize) -> Result<Option<String>, String> {
    fn shown<T: ToString>(value: &Option<T>) -> Option<String> {
        value.as_ref().map(T::to_string)
    }
    let Some((_, cell)) = row.cells().nth(index) else { return Err("there is no such column".into()) };
    match cell {
        ColumnData::String(value) => Ok(shown(value)),
        ColumnData::U8(value) => Ok(shown(value)),
        ColumnData::I16(value) => Ok(shown(value)),
        ColumnData::I32(value) => Ok(shown(value)),
        ColumnData::I64(value) => Ok(shown(value)),
        ColumnData::Bit(value) => Ok(shown(value)),
        ColumnData::Guid(value) => Ok(shown(value)),
        ColumnData::Numeric(value) => Ok(shown(value)),
        _ => Err("a value is not readable as text".into()),
    }
}
