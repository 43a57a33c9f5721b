"""What comes of feeding a parser: a value, or a refusal that it is documented to raise. All else breaks the check."""


def outcome(work, *refusals):
    try:
        return work()
    except refusals as refusal:
        return refusal
