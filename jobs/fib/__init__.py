"""The tutorial's first question: is the same function faster as Ray tasks?"""
