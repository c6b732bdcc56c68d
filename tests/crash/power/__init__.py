"""Power cuts and I/O errors: a store is played a story on a medium that fails, and then judged.

medium, images   pure: what was done to files, and what a cut may leave of it
recorder, faults VFSes: one notes what is done, one fails a call of one's choosing
stories          what is done to a store, step by step
holding, judge   what a store holds, and whether that is what was acknowledged
cuts, sweep      every position of a recording cut; every call of a story failed
"""
