"""LongBench-Write: does a model write as long as it is asked to, and well?"""
