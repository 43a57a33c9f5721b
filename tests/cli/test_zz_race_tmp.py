import threading
from sendmeter.app import open_store
from sendmeter.settings import Settings

def test_race(empty_postgres_url):
    errors=[]; barrier=threading.Barrier(6)
    def go():
        barrier.wait()
        try: open_store(Settings(database_url=empty_postgres_url)).close()
        except BaseException as e: errors.append(repr(e)[:300])
    ts=[threading.Thread(target=go) for _ in range(6)]
    [t.start() for t in ts]; [t.join() for t in ts]
    assert errors==[]
