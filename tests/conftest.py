"""What all tests ask of the process they run in."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as where a shell starts it in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else no child would hear Ctrl-C
