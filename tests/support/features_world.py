"""Steps of `features` without a pipeline file around them."""

import json

from assay.specs.features import FeaturesSpec


def spec_of(*steps):
    return FeaturesSpec.model_validate_json(json.dumps({"steps": steps}))
