"""Models to explain: behind HTTP, SageMaker's API, in a Python file, or ONNX."""
