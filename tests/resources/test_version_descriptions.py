"""The model card in a version's description, behind what leads to its report."""

import pytest

from resources.mlflow.versions import card_in


@pytest.mark.parametrize(
    "before",
    ["", "Promoted: better. Its report: http://localhost:8090/r\n\n", "[Report](http://localhost:8090/r)\n\n"],
)
def test_the_card_is_read_back_from_this_and_earlier_descriptions(before):
    assert card_in(f"{before}# card\n\nIt predicts.") == "# card\n\nIt predicts."
