"""Published wallet lists: bytes in, ``CLAIMS`` out, every line accounted for."""

from crawler.lists.published import Member, PublishedList, open_list

__all__ = ["Member", "PublishedList", "open_list"]
