// Models and data sets speak of shapes, buffers and random numbers: whoever imports either has those too.
@_exported import HourglassBase
