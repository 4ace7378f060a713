"""Workbooks written part by part, so that they can say what no program would write."""

import io
import zipfile
from collections.abc import Mapping

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<fonts count="1"><font/></fonts><fills count="1"><fill><patternFill patternType="none"/></fill></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>'
    '<xf numFmtId="22" applyNumberFormat="1"/><xf numFmtId="49" applyNumberFormat="1"/></cellXfs></styleSheet>'
)
DATE, MOMENT, TEXT = 1, 2, 3
"""Styles of cells: a date, a date with a time, numbers shown as text."""


def text(value: str) -> str:
    """Return a cell of text."""
    return f'<c t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


def number(value: object, style: int = 0) -> str:
    """Return a cell of a number, as written."""
    return f'<c s="{style}"><v>{value}</v></c>'


def formula(written: str, stored: str = "", kind: str = "n") -> str:
    """Return a cell of a formula, with the value that the program stored for it, if it did."""
    value = f"<v>{stored}</v>" if stored else ""
    return f'<c t="{kind}"><f>{written}</f>{value}</c>'


def failure(value: str = "#DIV/0!") -> str:
    """Return a cell of an error."""
    return f'<c t="e"><v>{value}</v></c>'


def sheet(*rows: str, before: str = "", after: str = "", head: str = _HEAD) -> str:
    """Return a sheet of rows, each the cells one after the other."""
    body = "".join(f'<row r="{number}">{cells}</row>' for number, cells in enumerate(rows, 1))
    return f'{head}<worksheet xmlns="{_MAIN}">{before}<sheetData>{body}</sheetData>{after}</worksheet>'


def header(*names: str) -> str:
    """Return the cells of a header."""
    return "".join(text(name) for name in names)


def parts_of(sheets: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """Return the parts of a workbook of these sheets, by path."""
    numbers = list(enumerate(sheets, 1))
    kinds = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_SPREADSHEET}.worksheet+xml"/>'
        for number, _ in numbers
    )
    listed = "".join(f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>' for number, name in numbers)
    related = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number, _ in numbers
    )
    return {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SPREADSHEET}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_SPREADSHEET}.styles+xml"/>{kinds}</Types>',
        "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{related}'
        f'<Relationship Id="rId{len(numbers) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": _STYLES,
        **{f"xl/worksheets/sheet{number}.xml": sheets[name] for number, name in numbers},
    }


def shared_texts(*values: str) -> bytes:
    """Return a workbook of one column of texts, in the table of shared strings."""
    parts = parts_of({"Rows": sheet(*(f'<c t="s"><v>{number}</v></c>' for number, _ in enumerate(values)))})
    kinds, name = str(parts["[Content_Types].xml"]), "xl/sharedStrings.xml"
    joined = f'<Override PartName="/{name}" ContentType="{_SPREADSHEET}.sharedStrings+xml"/></Types>'
    items = "".join(f'<si><t xml:space="preserve">{value}</t></si>' for value in values)
    table = f'{_HEAD}<sst xmlns="{_MAIN}">{items}</sst>'
    return packed({**parts, "[Content_Types].xml": kinds.replace("</Types>", joined), name: table})


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    """Return parts as a file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in parts.items():
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def workbook(**sheets: str) -> bytes:
    """Return a workbook of these sheets."""
    return packed(parts_of(sheets))
