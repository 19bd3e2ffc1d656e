import pytest
import sync


@pytest.mark.connections(at_most=1)
def test_all_pages_are_there():
    assert sync.pages() == [200, 200, 200]
