"""selfroute inside of other libraries, and theirs inside of it. Each module imports one of them, and nothing of ours
but `build` imports these."""
