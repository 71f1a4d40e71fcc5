//! Wangge as its users meet it: stories, crashes, hostile peers, bad links.
