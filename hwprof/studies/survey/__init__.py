"""The survey of a board: its steps, each ended or named with the reason, in one file that can be sent.

For others: `record.SurveyRecord` is what a survey keeps beside runs, ceilings and verdicts; `files.SurveyFiles` are the
working file and the masked one; `steps.take` takes the steps, as often as it is called.
"""
