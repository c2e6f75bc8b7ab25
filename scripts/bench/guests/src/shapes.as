// Calls through interfaces, overridden methods and function values: AssemblyScript's dispatch by class id.
interface Visitor {
  visit(value: i32): i32;
}

class Adder implements Visitor {
  private total: i32 = 0;
  visit(value: i32): i32 {
    this.total += value;
    return this.total;
  }
}

class Mixer implements Visitor {
  private state: u32 = 1;
  visit(value: i32): i32 {
    this.state = (this.state ^ <u32>value) * 0x01000193;
    return <i32>(this.state >> 3);
  }
}

class Counter implements Visitor {
  private seen: StaticArray<i32> = new StaticArray<i32>(64);
  visit(value: i32): i32 {
    return ++this.seen[value & 63];
  }
}

abstract class Animal {
  constructor(protected age: i32) {}
  abstract grow(by: i32): i32;
}

class Cat extends Animal {
  grow(by: i32): i32 {
    this.age += by;
    return this.age;
  }
}

class Dog extends Animal {
  grow(by: i32): i32 {
    this.age = this.age * 7 + by;
    return this.age >> 1;
  }
}

class Puppy extends Dog {
  grow(by: i32): i32 {
    return super.grow(by + 1) - 1;
  }
}

export function run(): i32 {
  const visitors: Visitor[] = [new Adder(), new Mixer(), new Counter(), new Mixer()];
  const animals: Animal[] = [new Cat(1), new Dog(2), new Puppy(3)];
  const steps: ((value: i32) => i32)[] = [(value) => value + 1, (value) => value ^ 0x55, (value) => value * 3];
  let state: u32 = 31;
  let sum = 0;
  for (let i = 0; i < 400000; i++) {
    state = state * 1664525 + 1013904223;
    sum = sum * 31 + visitors[(state >> 9) & 3].visit(i);
    sum += animals[(state >> 13) % 3].grow(i & 7);
    sum = steps[(state >> 17) % 3](sum);
  }
  return sum;
}
