"""Power cuts and I/O errors: a store is played a story on a medium that fails, and then judged.

What cuts and fails is milepost.testing.power; here is what is of our own store, and tests of both.

stories          what is done to a store, step by step
holding, judge   what a store holds, and whether that is what was acknowledged
cuts, sweep      every position of a recording cut; every call of a story failed
"""
