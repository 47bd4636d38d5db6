"""When two tensors agree, measured by what rounding does here; knows tensors only, no layer and no formula."""
