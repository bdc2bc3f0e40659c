/// All modules of the library by one import.
@_exported import HourglassAnalysis
@_exported import HourglassBase
@_exported import HourglassData
@_exported import HourglassModels
@_exported import HourglassTraining
