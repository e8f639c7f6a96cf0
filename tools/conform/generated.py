async def to_mock(vendor, judge):
    from tools.conform.__main__ import Count
    return Count('generated', set(), set())
